"""Floor 4, aws: what is paid for by use: the lake and its jobs, training, serving, logs, as `aws.usage` declares them.

Parked, nobody works: the lake stays, and the audit trail goes on being written.
"""

from __future__ import annotations

from retailops.config import Config
from retailops.targets.aws.bill import Bill, Month, cents
from retailops.targets.aws.settings import Settings

# Measured on the synthetic rows, 391,000 of them: GB a million rows.
RAW_GB = 0.1413
DATASET_GB = 0.0138  # silver and gold, kept for each ETL run

# Billed from the start of the machine, which loads the image first. Two cores do a million rows in some seconds; the
# rest is the way from S3 and back.
ETL_MINUTES, ETL_MINUTES_A_MILLION = 4.0, 0.2

# Of Glue's cluster: two DPUs needed four minutes of CPU for the 2.5 million rows of the published files.
SPARK_MINUTES, SPARK_MINUTES_A_MILLION = 2.0, 0.8
DPUS = {"G.1X": 1, "G.2X": 2, "G.4X": 4, "G.8X": 8}

# Billed alike.
TRAINING_MINUTES, TRAINING_MINUTES_A_MILLION = 4.0, 0.5

ENDPOINT_ALARMS = 2  # failed and slow
SCALING_ALARMS = 2  # too many requests for a machine, too few
REQUESTS_A_LCU_HOUR = 90_000  # 25 new connections a second; a connection that is kept costs less
ANSWER_KB = 2  # with headers
TRAIL_WRITES = 8.76  # thousand a month: the audit trail, every five minutes
ETL_WRITES, TRAINING_WRITES = 0.1, 0.05  # thousand a run; as many reads and more
DAYS = 30.4  # of a month


def usage(bill: Bill, config: Config, month: Month) -> None:
    """The lines of all other parts."""
    settings: Settings = config.settings("aws")
    _data(bill, config, month)
    _training(bill, config, month)
    serve = endpoint if config.deploy.engine == "sagemaker" else balancer
    serve(bill, settings, month)
    gb = settings.usage.log_gb * month.used
    bill.add("logs", "Logs taken in", "logs.ingested", gb)
    bill.add("logs", f"Logs kept {settings.log_days} days", "logs.stored", gb * settings.log_days / DAYS)


def _data(bill: Bill, config: Config, month: Month) -> None:
    settings: Settings = config.settings("aws")
    declared = settings.usage
    runs = declared.etl_runs * month.used
    stored = declared.rows_million * (RAW_GB + DATASET_GB * max(1.0, declared.etl_runs))
    writes = TRAIL_WRITES + runs * ETL_WRITES + declared.training_runs * month.used * TRAINING_WRITES
    bill.add("data", "Lake in S3", "s3.stored", stored, f"{declared.rows_million:,g} million rows, and each ETL run's")
    bill.add("data", "Writes to S3", "s3.writes", writes, "most of them the audit trail's")
    bill.add("data", "Reads from S3", "s3.reads", 3 * (writes - TRAIL_WRITES))
    prices = {"spark": _spark, "kubernetes": _nothing}
    prices.get(config.etl.engine, _etl)(bill, settings, runs)
    bill.add("data", "Athena queries", "athena.scanned", declared.query_gb * month.used / 1000)


def _nothing(bill: Bill, settings: Settings, runs: float) -> None:
    """On the cluster's nodes, which are paid for already."""


def _etl(bill: Bill, settings: Settings, runs: float) -> None:
    """A processing job a run, on a machine that costs by the second what a training machine does."""
    minutes = ETL_MINUTES + ETL_MINUTES_A_MILLION * settings.usage.rows_million
    machine = settings.jobs.instance
    detail = f"{runs:,g} runs of about {minutes:.1f} minutes"
    bill.add("data", f"ETL, {machine}", f"sagemaker.{machine}", runs * minutes / 60, detail)


def _spark(bill: Bill, settings: Settings, runs: float) -> None:
    """A Glue run a run, on the machines of `aws.spark`, by the second."""
    minutes = SPARK_MINUTES + SPARK_MINUTES_A_MILLION * settings.usage.rows_million
    cluster = settings.spark
    hours = runs * minutes / 60 * cluster.workers * DPUS[cluster.worker]
    detail = f"{runs:,g} runs of about {minutes:.1f} minutes"
    bill.add("data", f"ETL on Glue, {cluster.workers} {cluster.worker}", "glue.dpu", hours, detail)


def _training(bill: Bill, config: Config, month: Month) -> None:
    settings, algorithms = config.settings("aws"), len(config.train.algorithms)
    declared, machine = settings.usage, settings.training
    minutes = TRAINING_MINUTES + TRAINING_MINUTES_A_MILLION * declared.rows_million
    hours = declared.training_runs * algorithms * minutes / 60 * month.used * machine.instances
    detail = f"{declared.training_runs:,g} runs of {algorithms} algorithms, about {minutes:.1f} minutes each"
    detail += f" on {machine.instances} instances" if machine.instances > 1 else ""
    way, item = ("on spot", "sagemaker-spot") if machine.spot else ("on demand", "sagemaker")
    bill.add("training", f"Training {way}, {machine.instance}", f"{item}.{machine.instance}", hours, detail)


def endpoint(bill: Bill, settings: Settings, month: Month) -> None:
    """A SageMaker endpoint: its machines by the hour, whoever asks. Parked it is deleted; its alarms stay."""
    machines = settings.endpoint
    item, hours = f"sagemaker.{machines.instance}", month.awake_hours
    name = f"SageMaker endpoint, {machines.instances_min} × {machines.instance}"
    most = cents(machines.instances_max * hours, bill.prices.of(item).usd)
    grown = machines.instances_max > machines.instances_min
    detail = f"${most:,.2f} with all {machines.instances_max} that a high load may bring" if grown else ""
    bill.add("serving", name, item, machines.instances_min * hours, detail)
    alarms = ENDPOINT_ALARMS + (SCALING_ALARMS if grown else 0)
    bill.add("serving", "Alarms of the endpoint", "cloudwatch.alarm", alarms)


def balancer(bill: Bill, settings: Settings, month: Month) -> None:
    """The load balancer before the pods; what they run on are the cluster's nodes."""
    requests = settings.usage.requests_million * month.used
    bill.add("serving", "Load balancer", "alb.hour", month.awake_hours)
    bill.add("serving", "Load balancer, by load", "alb.lcu", requests * 1e6 / REQUESTS_A_LCU_HOUR)
    bill.add("serving", f"Its public addresses, {settings.zones}", "ipv4.hour", settings.zones * month.awake_hours)
    bill.add("serving", "Answers to the internet", "transfer.out", requests * ANSWER_KB)
