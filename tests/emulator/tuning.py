"""SageMaker's tuner for the executor: its trials are really run, with parameters drawn at random inside the ranges.

moto keeps the tuning job and tells of a best trial that never was. Here the trials are training jobs of the executor,
as many at once as was asked for; a trial's score is what the metric's expression finds last in its log. `behind`
maps the number of a trial to the score that it is told to have been stopped early with; those in `broken` fail.
"""

from __future__ import annotations

import json
import math
import random
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.sagemaker.models import sagemaker_backends

from emulator.server import Emulator, Request, Response

_DONE = {"Completed": "Completed", "Stopped": "Stopped", "Failed": "NonRetryableError"}


@dataclass
class Search:
    """One tuning job while it runs, and what is told of its trials after it."""

    wanted: dict[str, Any]
    kept: Any  # moto's
    trials: dict[str, dict[str, Any]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        return str(self.wanted["HyperParameterTuningJobName"])

    @property
    def config(self) -> dict[str, Any]:
        return dict(self.wanted["HyperParameterTuningJobConfig"])

    @property
    def ended(self) -> bool:
        return self.kept.hyper_parameter_tuning_job_status != "InProgress"


class TrialRuns:
    """Answers for the tuner; `start` begins a training job and returns its run."""

    def __init__(self, aws: Emulator, start: Callable[[str, dict[str, Any]], Any]) -> None:
        self._aws = aws
        self._start = start
        self.searches: dict[str, Search] = {}
        self.behind: dict[int, float] = {}
        self.broken: set[int] = set()
        self.threads: list[threading.Thread] = []

    def answer(self, request: Request) -> Response | None:
        operation = request.target.removeprefix("SageMaker.")
        if operation == "CreateHyperParameterTuningJob":
            return self._create(request.region, json.loads(request.body))
        if operation == "ListTrainingJobsForHyperParameterTuningJob":
            search = self.searches[json.loads(request.body)["HyperParameterTuningJobName"]]
            return Response(json.dumps({"TrainingJobSummaries": list(search.trials.values())}).encode())
        return None

    def _create(self, region: str, wanted: dict[str, Any]) -> Response | None:
        backend = sagemaker_backends[DEFAULT_ACCOUNT_ID][region]
        name = wanted["HyperParameterTuningJobName"]
        if len(name) > 32:
            words = f"1 validation error detected: Value '{name}' at 'hyperParameterTuningJobName' failed to satisfy "
            words += "constraint: Member must have length less than or equal to 32"
            return Response(json.dumps({"__type": "ValidationException", "message": words}).encode(), 400)
        if name in backend.hyper_parameter_tuning_jobs:
            return None  # moto refuses
        told = wanted.get("WarmStartConfig", {}).get("ParentHyperParameterTuningJobs", [])
        assert all(each["HyperParameterTuningJobName"] in backend.hyper_parameter_tuning_jobs for each in told)
        names = "hyper_parameter_tuning_job_name hyper_parameter_tuning_job_config training_job_definition "
        names += "training_job_definitions warm_start_config tags autotune"
        arn = backend.create_hyper_parameter_tuning_job(**{each: wanted.get(_camel(each)) for each in names.split()})
        kept = backend.hyper_parameter_tuning_jobs[name]
        kept.hyper_parameter_tuning_job_status = "InProgress"
        kept.training_job_status_counters = dict.fromkeys(kept.training_job_status_counters, 0)
        search = self.searches[name] = Search(wanted, kept)
        thread = threading.Thread(target=self._live, args=(region, search), name=name, daemon=True)
        self.threads.append(thread)
        thread.start()
        return Response(json.dumps({"HyperParameterTuningJobArn": arn}).encode())

    def _live(self, region: str, search: Search) -> None:
        limits, draws = search.config["ResourceLimits"], random.Random(search.config.get("RandomSeed", 0))
        drawn = [_draw(search.config["ParameterRanges"], draws) for _ in range(limits["MaxNumberOfTrainingJobs"])]
        with ThreadPoolExecutor(limits["MaxParallelTrainingJobs"]) as machines:
            for each in [
                machines.submit(self._trial, region, search, number, parameters)
                for number, parameters in enumerate(drawn, 1)
            ]:
                each.result()
        if not search.ended:
            failed = search.kept.training_job_status_counters["NonRetryableError"] == len(drawn)
            reason = "All training jobs failed. Please take a look at the training jobs failures to get more details."
            search.kept.failure_reason = reason if failed else ""
            search.kept.hyper_parameter_tuning_job_status = "Failed" if failed else "Completed"

    def _trial(self, region: str, search: Search, number: int, drawn: dict[str, str]) -> None:
        if search.ended:
            return
        definition, name = search.wanted["TrainingJobDefinition"], f"{search.name}-{number:03d}-{number * 7919:08x}"
        asked = {name: value for name, value in definition.items() if name != "StaticHyperParameters"}
        given = {**definition["StaticHyperParameters"], **drawn, "_tuning_objective_metric": "macro_f1"}
        if number in self.broken:
            given["worker"] = json.dumps(["tune"])
        began = time.time()
        run = self._start(region, {**asked, "TrainingJobName": name, "HyperParameters": given})
        while run.thread.is_alive():
            if search.ended:
                run.stop()
            run.thread.join(0.02)
        status, score = run.job.training_job_status, self._score(search, name)
        if number in self.behind:
            status, score = "Stopped", self.behind[number]
        told = {
            "TrainingJobName": name,
            "TrainingJobArn": run.job.arn,
            "TrainingJobStatus": status,
            "TunedHyperParameters": drawn,
            "CreationTime": began,
            "TrainingStartTime": began,
            "TrainingEndTime": time.time(),
            "FailureReason": getattr(run.job, "failure_reason", None) or "",
        }
        if score is not None:
            metric = {"MetricName": "macro_f1", "Value": score}
            told["FinalHyperParameterTuningJobObjectiveMetric"] = metric
        with search.lock:
            search.trials[name] = told
            search.trials = dict(sorted(search.trials.items()))
            search.kept.training_job_status_counters[_DONE[status]] += 1

    def _score(self, search: Search, name: str) -> float | None:
        """The last of what the metric's expression finds."""
        (metric,) = search.wanted["TrainingJobDefinition"]["AlgorithmSpecification"]["MetricDefinitions"]
        logs, group = self._aws.client("logs"), "/aws/sagemaker/TrainingJobs"
        if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
            return None
        streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")["logStreams"]
        found: list[str] = []
        for stream in streams:
            events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)
            found += re.findall(metric["Regex"], "\n".join(each["message"] for each in events["events"]))
        return float(found[-1]) if found else None


def _draw(ranges: dict[str, Any], draws: random.Random) -> dict[str, str]:
    found: dict[str, str] = {}
    for kind in ("IntegerParameterRanges", "ContinuousParameterRanges"):
        for each in ranges.get(kind, []):
            low, high = float(each["MinValue"]), float(each["MaxValue"])
            if each["ScalingType"] == "Logarithmic":
                value = math.exp(draws.uniform(math.log(low), math.log(high)))
            else:
                value = draws.uniform(low, high)
            whole = kind.startswith("Integer")
            found[each["Name"]] = str(round(value)) if whole else str(min(max(value, low), high))
    for each in ranges.get("CategoricalParameterRanges", []):
        found[each["Name"]] = draws.choice(each["Values"])
    return found


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
