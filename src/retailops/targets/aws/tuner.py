"""Floor 4, aws: tuning by SageMaker's tuner: it draws the parameters, and each trial is a training job of the worker.

    models:jobs/tune-<key>-ground/   a training job that makes what all trials share, and judges what is used untuned
    models:jobs/tune-<key>/          order/, a folder for each trial, and output/result.json, as a search here leaves it

The tuner is Bayesian, stops trials that fall behind, stops itself when nothing gets better, and starts from the last
tuning of the same algorithm. It draws as it likes: unlike a search here, it isn't the same when it is run again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from retailops import files
from retailops.errors import ConfigError, NotReady, TargetFailed
from retailops.ports import Job, JobResult
from retailops.progress import Progress
from retailops.retail import algorithms, trials, tuning
from retailops.retail.algorithms.space import Choice, Dimension, Integer
from retailops.retail.search import Trial
from retailops.targets.aws.attempts import Attempts, Patience
from retailops.targets.aws.inventory.learning import RUNNING
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.orders import TUNING, Orders
from retailops.targets.aws.session import Session, code_of, translated

GROUND = trials.GROUND
ARGUMENTS, ALGORITHM = "worker", "algorithm"  # hyperparameters that all trials have alike
_METRIC = "_tuning_objective_metric"  # one that the tuner adds itself
_LONGEST = 32  # characters of a tuner's name: its trials' names are longer
_KEY = 4  # characters of the key at least
_AGAIN = len("-99")
_MOST = 750  # trials that a tuner takes
_FEWEST_WITHOUT_GAIN = 3


class Tuner:
    """Tuning for one project; `run` runs any other job on SageMaker."""

    def __init__(
        self,
        session: Session,
        mirror: Mirror,
        orders: Orders,
        patience: Patience,
        run: Callable[[Job, Progress], JobResult],
    ) -> None:
        self._session = session
        self._mirror = mirror
        self._orders = orders
        self._attempts = Attempts(session, TUNING, patience)
        self._run = run

    def run(self, job: Job, progress: Progress) -> JobResult:
        """As AwsJobs.run; what a search on one machine would return."""
        if done := self._kept(job):
            return done
        self._name(job, 1)  # refused before anything is paid for
        ground = self._run(
            replace(job, key=f"{job.key}-{GROUND}", parameters={**job.parameters, GROUND: True}), progress
        )
        start = ground.result
        tried = [Trial(0, start["parameters"], tuple(start["scores"]), pruned=False, seconds=start["seconds"])]
        with translated(f"The tuning {job.key} on SageMaker"):
            if job.parameters["trials"] > 1:
                tried += self._trials(job, self._searched(job, ground, progress), progress)
            return self._told(job, tried, start["folds"])

    def _kept(self, job: Job) -> JobResult | None:
        folder = self._orders.folder(job, "output")
        with translated(f"The tuning {job.key} on SageMaker"):
            try:
                self._mirror.fetch(folder)
            except NotReady:
                return None
        result = files.read_json(folder / "result.json")
        return JobResult(folder, result, reused=True) if isinstance(result, dict) else None

    def _told(self, job: Job, tried: list[Trial], folds: list[dict[str, Any]]) -> JobResult:
        folder = self._orders.folder(job, "output")
        folder.mkdir(parents=True, exist_ok=True)
        result = tuning.told(job.parameters, tried, folds)
        files.write_json(folder / "result.json", result)
        self._mirror.push(folder)
        return JobResult(folder, result, reused=False)

    def _searched(self, job: Job, ground: JobResult, progress: Progress) -> str:
        """The name of the tuning job once it has completed; it is started, or followed when it runs already."""
        attempt, found = self._attempts.latest(partial(self._name, job))
        status = found.get("HyperParameterTuningJobStatus")
        if status == "Completed":
            return self._name(job, attempt)
        if status in RUNNING:
            progress.note(f"{self._name(job, attempt)} is running already: following it.")
        else:
            attempt += 1
            self._submit(job, ground, self._name(job, attempt), progress)
        name = self._name(job, attempt)
        try:
            progress.stage("searching parameters on SageMaker", total=job.parameters["trials"] - 1, unit="trials")
            found = self._attempts.follow(name, lambda seen: progress.advance(_ended(seen)))
        except KeyboardInterrupt:
            raise self._attempts.let_go(name, progress) from None
        if found["HyperParameterTuningJobStatus"] != "Completed":
            raise self._died(name, found)
        return name

    def _submit(self, job: Job, ground: JobResult, name: str, progress: Progress) -> None:
        from botocore.exceptions import ClientError

        progress.stage(f"Asking SageMaker for {name}")
        given = {"algorithm": job.parameters["algorithm"], "threads": job.parameters["threads"]}
        trial = replace(job, inputs={GROUND: ground.folder}, parameters=given)
        request = self._request(job, trial, name)
        self._orders.leave(trial)
        try:
            self._attempts.create(request, name, progress)
        except ClientError as problem:
            if not request.pop("WarmStartConfig", None) or code_of(problem) != "ValidationException":
                raise
            # The tuner has its own mind on which tunings are alike enough; a start from nothing does as well.
            progress.note(f"The last tuning is no start for this one: {problem.response['Error'].get('Message', '')}")
            self._attempts.create(request, name, progress)

    def _request(self, job: Job, trial: Job, name: str) -> dict[str, Any]:
        """The arguments of create_hyper_parameter_tuning_job: the trial as a training job, without what varies."""
        training = self._orders.request(trial, name)
        tags = training.pop("Tags")
        for left_out in ("TrainingJobName", "CheckpointConfig"):
            del training[left_out]
        how = training["AlgorithmSpecification"]
        # The tuner takes no entry point and no arguments: the image has the one, a hyperparameter the others.
        arguments = [each for each in how["ContainerArguments"] if not each.startswith("--checkpoints=")]
        training["AlgorithmSpecification"] = {
            "TrainingImage": how["TrainingImage"],
            "TrainingInputMode": how["TrainingInputMode"],
            "MetricDefinitions": [{"Name": tuning.METRIC, "Regex": rf"{tuning.METRIC}=([0-9]\.[0-9]+)"}],
        }
        algorithm = job.parameters["algorithm"]
        training["StaticHyperParameters"] = {ARGUMENTS: json.dumps(arguments), ALGORITHM: algorithm}
        count = min(job.parameters["trials"] - 1, _MOST)
        parallel = min(self._session.settings.training.parallel_trials, count)
        patience = max(job.parameters["patience"], _FEWEST_WITHOUT_GAIN)
        warm = self._warm_start(algorithm)
        return {
            "HyperParameterTuningJobName": name,
            "HyperParameterTuningJobConfig": {
                "Strategy": "Bayesian",
                "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": tuning.METRIC},
                "ResourceLimits": {"MaxNumberOfTrainingJobs": count, "MaxParallelTrainingJobs": parallel},
                "ParameterRanges": ranges(algorithms.space(algorithm)),
                "TrainingJobEarlyStoppingType": "Auto",
                "TuningJobCompletionCriteria": {
                    "BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": patience}
                },
                "RandomSeed": job.parameters["train"]["seed"],
            },
            "TrainingJobDefinition": training,
            "Tags": tags,
            **({"WarmStartConfig": warm} if warm else {}),
        }

    def _warm_start(self, algorithm: str) -> dict[str, Any]:
        """The last tuning of this algorithm that completed, to learn from; nothing when there was none."""
        pages = self._attempts.sagemaker.get_paginator("list_hyper_parameter_tuning_jobs").paginate(
            NameContains=self._session.names.prefix,
            StatusEquals="Completed",
            SortBy="CreationTime",
            SortOrder="Descending",
        )
        wanted = {*algorithms.space(algorithm), ARGUMENTS, ALGORITHM}
        for page in pages:
            for each in page["HyperParameterTuningJobSummaries"]:
                name = str(each["HyperParameterTuningJobName"])
                found = self._attempts.described(name)
                fixed = (found.get("TrainingJobDefinition") or {}).get("StaticHyperParameters", {})
                searched = _names(found["HyperParameterTuningJobConfig"].get("ParameterRanges", {}))
                # The tuner refuses a parent with other parameters, such as one of an older version.
                if fixed.get(ALGORITHM) == algorithm and searched | {*fixed} - {_METRIC} == wanted:
                    parent = {"HyperParameterTuningJobName": name}
                    return {"ParentHyperParameterTuningJobs": [parent], "WarmStartType": "TransferLearning"}
        return {}

    def _trials(self, job: Job, name: str, progress: Progress) -> list[Trial]:
        """What the tuner tried, from number 1 on; trials that failed are told and left out."""
        pages = self._attempts.sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
            HyperParameterTuningJobName=name, SortBy="CreationTime", SortOrder="Ascending"
        )
        found: list[Trial] = []
        for each in (summary for page in pages for summary in page["TrainingJobSummaries"]):
            trial = self._trial(job, each, len(found) + 1)
            if trial:
                found.append(trial)
            else:
                why = each.get("FailureReason", "no score")
                progress.note(f"{each['TrainingJobName']} {each['TrainingJobStatus'].lower()}: {why}")
        return found

    def _trial(self, job: Job, summary: Mapping[str, Any], number: int) -> Trial | None:
        if summary["TrainingJobStatus"] == "Completed":
            folder = self._orders.folder(job, summary["TrainingJobName"], "output", "model")
            told = files.read_json(self._mirror.fetch(folder) / "result.json")
            return Trial(number, told["parameters"], tuple(told["scores"]), pruned=False, seconds=told["seconds"])
        scored = summary.get("FinalHyperParameterTuningJobObjectiveMetric")
        if summary["TrainingJobStatus"] != "Stopped" or not scored:
            return None
        space = algorithms.space(job.parameters["algorithm"])
        parameters = trials.read(space, summary["TunedHyperParameters"])
        seconds = (summary["TrainingEndTime"] - summary["TrainingStartTime"]).total_seconds()
        return Trial(number, parameters, (float(scored["Value"]),), pruned=True, seconds=seconds)

    def _died(self, name: str, found: Mapping[str, Any]) -> TargetFailed:
        status, reason = found["HyperParameterTuningJobStatus"], str(found.get("FailureReason", "")).strip()
        says = f"\nSageMaker says: {reason}" if reason else ""
        details = {"job": name, "status": status, "reason": reason}
        if status == "Stopped":
            return TargetFailed(
                f"The tuning job {name} was stopped.{says}",
                "Run the same command again to start it anew.",
                details=details,
            )
        return TargetFailed(
            f"The tuning job {name} ended without its result.{says}",
            f"Its trials say more: aws logs tail /aws/sagemaker/TrainingJobs --log-stream-name-prefix {name}-",
            details=details,
        )

    def _name(self, job: Job, attempt: int) -> str:
        prefix, again = self._session.names.prefix, f"-{attempt}" if attempt > 1 else ""
        room = _LONGEST - len(prefix) - len("-") - _AGAIN
        if room < _KEY:
            raise ConfigError(
                f"SageMaker's tuner takes names of {_LONGEST} characters: {prefix} is {_KEY - room} too long.",
                "Choose a shorter project.name or environment, or tune with --target local.",
            )
        return f"{prefix}-{job.key[: min(room, 8)]}{again}"


def ranges(space: Mapping[str, Dimension]) -> dict[str, list[dict[str, Any]]]:
    """A search space in the tuner's words."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, each in space.items():
        if isinstance(each, Choice):
            found.setdefault("CategoricalParameterRanges", []).append({"Name": name, "Values": list(each.options)})
            continue
        kind = "IntegerParameterRanges" if isinstance(each, Integer) else "ContinuousParameterRanges"
        scale = "Logarithmic" if each.log else "Linear"
        bounds = {"MinValue": str(each.low), "MaxValue": str(each.high)}
        found.setdefault(kind, []).append({"Name": name, **bounds, "ScalingType": scale})
    return found


def _names(found: Mapping[str, Any]) -> set[str]:
    return {each["Name"] for listed in found.values() for each in listed or ()}


def _ended(found: Mapping[str, Any]) -> int:
    counts = found.get("TrainingJobStatusCounters", {})
    return sum(counts.get(each, 0) for each in ("Completed", "Stopped", "NonRetryableError"))
