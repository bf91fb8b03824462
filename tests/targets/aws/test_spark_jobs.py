"""The ETL on Glue: really run by pyspark over the emulated S3 once; else by DuckDB, for what goes wrong around it."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pytest
from tests.retail.test_spark import differences
from tests.retail.transactions import row, text, weeks, write

import sparks
from emulator import Emulator, grounds, spark_cluster
from emulator.recording import recorded
from emulator.spark_cluster import SparkCluster
from retailops.config import Config
from retailops.errors import DataError, GateFailed, Interrupted, NotReady, Unsupported
from retailops.lifecycle import etl
from retailops.ports import Target
from retailops.progress import Silent
from retailops.retail import etl as here
from retailops.targets import aws as place
from retailops.targets.aws import permissions
from retailops.targets.aws.jobs import Patience
from retailops.targets.aws.session import Session
from retailops.targets.aws.spark_jobs import SparkJobs, failure

Settled = Callable[[Callable[[], bool]], None]


@pytest.fixture
def cluster(aws: Emulator, tmp_path: Path) -> Iterator[SparkCluster]:
    grounds.lay(aws)
    with SparkCluster(aws, tmp_path / "cluster") as running:
        running.work = stand_in
        yield running


@pytest.fixture
def opened(configured: Callable[[str], Config], loaded: boto3.Session) -> Callable[[], Target]:
    def open_target() -> Target:
        found = place.open(configured("etl: {engine: spark, max_quarantined: 0.1}\n"))
        assert isinstance(found.jobs, SparkJobs)
        found.jobs._patience = Patience(look=0.02, grace=0.05)
        found.jobs._session.__dict__["_boto"] = loaded
        return found

    return open_target


@pytest.fixture
def target(cluster: SparkCluster, opened: Callable[[], Target]) -> Target:
    return opened()


def stand_in(script: Path, arguments: list[str], folder: Path) -> tuple[str, str]:
    """What the job leaves, made by DuckDB from the very files that the order names."""
    order = json.loads(Path(arguments[arguments.index("--order") + 1]).read_text())
    (source,) = {Path(file["path"]).parent for file in order["files"]}
    options = {name: order["manifest"]["options"][name] for name in ("max_quarantined", "memory_mb", "threads")}
    made = here.run(source, folder / "made", here.EtlOptions(**options), Silent())
    assert made.version == order["manifest"]["version"]
    assert [each["bytes"] for each in made.manifest["inputs"]] == [
        each["bytes"] for each in order["manifest"]["inputs"]
    ]
    for zone in ("silver", "gold", "quarantine"):
        Path(order["folders"][zone]).parent.mkdir(parents=True, exist_ok=True)
        (folder / "made" / zone).rename(order["folders"][zone])
    told = {"dataset": made.version, **{n: made.manifest[n] for n in ("labelled", "reasons", "rows", "weeks")}}
    leave(order, "manifest.json", made.manifest)
    leave(order, "result.json", told)
    return "SUCCEEDED", ""


def leave(order: dict[str, Any], name: str, what: dict[str, Any]) -> None:
    folder = Path(order["folders"]["output"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(what))


def refusing(problem: dict[str, Any]) -> Callable[[Path, list[str], Path], tuple[str, str]]:
    def work(script: Path, arguments: list[str], folder: Path) -> tuple[str, str]:
        order = json.loads(Path(arguments[arguments.index("--order") + 1]).read_text())
        leave(order, "problem.json", problem)
        return "FAILED", "Refused: see problem.json"

    return work


@pytest.mark.slow  # for the fast suite's sake
def test_a_finished_run_is_not_started_again_and_its_script_lies_under_its_hash(
    target: Target, cluster: SparkCluster, tmp_path: Path, aws: Emulator
) -> None:
    source = write(tmp_path / "in" / "a.csv", weeks()).parent
    (source / "b.csv.gz").write_bytes(gzip.compress(text([row(n, 3, week=200609) for n in range(1, 40)]).encode()))
    session = Session(target.config)
    with recorded(aws) as actions:
        first = etl.etl(target, source, Silent()).result
        again = etl.etl(target, source, Silent()).result
    assert (first["reused"], again["reused"]) == (False, True) and len(cluster.runs) == 1
    assert first["dataset"] == here.version(source, here.EtlOptions(max_quarantined=0.1), True, Silent())
    assert first["rows"]["raw"] == 72 + 39
    arguments = cluster.runs[0]["Arguments"]
    script = arguments["--scriptLocation"].removeprefix("s3://").partition("/")[2]
    bucket = f"retail-demo-dev-gold-{aws.account}"
    stored = [aws.client("s3").get_object(Bucket=bucket, Key=key) for key in (script, "code/etl.py")]
    contents = {each["Body"].read() for each in stored}
    assert len(contents) == 1 and stored[0]["Metadata"]["sha256"][:16] in script
    assert cluster.runs[0]["WorkerType"] == "G.1X" and cluster.runs[0]["NumberOfWorkers"] == 2
    allowed = {a for right in permissions.rights(session.names, session.settings) for a in right.actions}
    assert not actions - allowed


@pytest.mark.slow  # for the fast suite's sake
def test_two_commands_are_one_run(target: Target, cluster: SparkCluster, tmp_path: Path, settled: Settled) -> None:
    source = write(tmp_path / "in.csv", weeks())
    cluster.free.clear()
    found: list[str] = []
    commands = [
        threading.Thread(target=lambda: found.append(etl.etl(target, source, Silent()).result["dataset"]))
        for _ in range(2)
    ]
    commands[0].start()
    settled(lambda: bool(cluster.runs))
    commands[1].start()
    with pytest.raises(NotReady, match="another run"):
        etl.etl(target, write(tmp_path / "other.csv", weeks(7)), Silent())
    cluster.free.set()
    for each in commands:
        each.join(60)
    assert len(cluster.runs) == 1 and len(set(found)) == 1 and len(found) == 2


@pytest.mark.slow  # for the fast suite's sake
def test_what_the_job_refuses_is_told_as_on_a_laptop(target: Target, cluster: SparkCluster, tmp_path: Path) -> None:
    source = write(tmp_path / "in.csv", weeks())
    cluster.work = refusing({"problem": "gate", "raw": 100, "reasons": {"spend": 11}})
    with pytest.raises(GateFailed, match=r"11 of 100 rows \(11\.00%\) break the data contract, at most 10") as caught:
        etl.etl(target, source, Silent())
    assert "s3://retail-demo-dev-quarantine-" in caught.value.fix
    cluster.work = stand_in
    assert etl.etl(target, source, Silent()).result["rows"]["silver"] == 72, "and can be run again"


@pytest.mark.parametrize(
    ("state", "says", "words"),
    [
        ("TIMEOUT", "", "aws.spark.max_minutes"),
        ("FAILED", "java.lang.OutOfMemoryError: Java heap space", "aws.spark.workers"),
        ("FAILED", "Command failed with exit code 137", "aws.spark.workers"),
        ("FAILED", "AmazonS3Exception: Access Denied (Service: Amazon S3; Status Code: 403)", "retailops infra up"),
        ("FAILED", "AnalysisException: [PATH_NOT_FOUND] Path does not exist", "retailops etl --input"),
        ("ERROR", "Resource unavailable: max capacity reached", "Try again later"),
        ("ERROR", "Internal service error", "Glue failed, not the job"),
        ("STOPPED", "", "start it anew"),
        ("FAILED", "something that nobody has seen yet", "its log"),
    ],
)
def test_the_end_of_a_run_is_translated_to_its_cause(state: str, says: str, words: str) -> None:
    told = failure({"Id": "jr_1", "JobRunState": state, "ErrorMessage": says})
    assert words in told.what + told.fix and says in told.what and "jr_1" in told.what


@pytest.mark.slow  # for the fast suite's sake
def test_ctrl_c_leaves_the_run_and_a_second_one_stops_it(
    target: Target, cluster: SparkCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "in.csv", weeks())
    cluster.free.clear()
    presses = iter([KeyboardInterrupt, None, KeyboardInterrupt, KeyboardInterrupt])

    def sleep(_: float) -> None:
        if press := next(presses):
            raise press

    monkeypatch.setattr("retailops.targets.aws.spark_jobs.time.sleep", sleep)
    with pytest.raises(Interrupted, match="goes on on Glue"):
        etl.etl(target, source, Silent())
    assert cluster.runs[0]["JobRunState"] == "STARTING"
    with pytest.raises(Interrupted, match="told to stop"):
        etl.etl(target, source, Silent())
    assert [run["JobRunState"] for run in cluster.runs] == ["STOPPED"]


@pytest.mark.slow  # for the fast suite's sake
def test_parquet_and_a_bad_header_are_told_before_anything_is_started(
    target: Target, cluster: SparkCluster, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    rows = duckdb.sql("SELECT " + ", ".join(f"'{value}' AS {name}" for name, value in row().items()))
    rows.write_parquet(str(tmp_path / "in" / "a.parquet"))
    with pytest.raises(Unsupported, match="is parquet"):
        etl.etl(target, tmp_path / "in", Silent())
    bad = write(tmp_path / "bad.csv", weeks(), header="\n".join([text([]).strip().replace("SPEND", "COST")]))
    with pytest.raises(DataError, match="SPEND"):
        etl.etl(target, bad, Silent())
    assert not cluster.runs


@pytest.mark.slow  # for the fast suite's sake
def test_without_the_glue_job_it_says_what_builds_it(
    aws: Emulator, opened: Callable[[], Target], tmp_path: Path
) -> None:
    grounds.lay(aws)
    with pytest.raises(NotReady, match="no Glue job retail-demo-dev-etl"):
        etl.etl(opened(), write(tmp_path / "in.csv", weeks()), Silent())


@pytest.mark.slow
def test_glue_gives_the_dataset_that_a_laptop_gives(target: Target, cluster: SparkCluster, tmp_path: Path) -> None:
    sparks.python()  # skipped here, and not in the cluster's thread
    cluster.work = spark_cluster.pyspark
    rows = [*weeks(), *weeks()[3:6], row(700, 1, SHOP_HOUR="99"), row(701, 1, STORE_REGION="A b/c")]
    source = write(tmp_path / "some folder" / "in 1.csv", rows).parent
    made = etl.etl(target, source, Silent()).result
    expected = here.run(source, tmp_path / "expected", here.EtlOptions(max_quarantined=0.1), Silent())
    assert made["dataset"] == expected.version and made["rows"] == expected.rows
    (dataset,) = target.lake.datasets()
    mirror = target.lake._mirror  # type: ignore[attr-defined]
    mirror.fetch(dataset.folder)
    assert differences(expected.folder, dataset.folder) == {}
