"""Tuning on SageMaker: the emulator's tuner really runs its trials, each by the worker as its image starts it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulator, Executor, Request, Response
from retailops.config import Config
from retailops.errors import ConfigError, Interrupted, TargetFailed
from retailops.ports import Job, JobResult
from retailops.progress import Silent
from retailops.retail.algorithms.space import Choice, Integer, Real
from retailops.retail.dataset import Dataset
from retailops.targets.aws.jobs import AwsJobs, Patience
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.orders import Orders
from retailops.targets.aws.session import Session
from retailops.targets.aws.tuner import Tuner, ranges
from retailops.targets.local.jobs import LocalJobs
from retailops.targets.local.workspace import Workspace

HURRY = Patience(look=0.05, grace=0.05, late=0.5)
# A stump with few sweeps: quick, and something better is there to be found.
TRAIN = {"folds": 2, "sweeps": 3, "seed": 7}
ASKED = {"algorithm": "decision_tree", "trials": 4, "patience": 12, "folds": 4, "max_baskets": 40_000, "threads": 1}


@pytest.fixture
def mirror(swift: Session) -> Mirror:
    return Mirror(swift)


@pytest.fixture
def jobs(machines: Executor, swift: Session, mirror: Mirror) -> AwsJobs:
    return AwsJobs(swift, mirror, patience=HURRY)


@pytest.fixture
def wanted(mirror: Mirror, small_dataset: Dataset) -> Job:
    folder = mirror.folder("models", "here")
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(small_dataset.folder)
    mirror.push(folder)
    folder.unlink()
    return job(folder)


def job(dataset: Path, key: str = "0123456789abcdef", **changes: Any) -> Job:
    train = {**TRAIN, "params": {"decision_tree": {"max_depth": 1}}}
    return Job("tune", key, {"dataset": dataset}, {**ASKED, "train": train, **changes})


def asked(aws: Emulator) -> list[dict[str, Any]]:
    """Collects the requests for tuning jobs from now on."""
    found: list[dict[str, Any]] = []

    def listen(request: Request) -> Response | None:
        if request.target == "SageMaker.CreateHyperParameterTuningJob":
            found.append(json.loads(request.body))
        return None

    aws.answer(listen)
    return found


@pytest.mark.slow
def test_trials_score_what_they_score_here_and_a_finished_tuning_is_not_run_again(
    jobs: AwsJobs, wanted: Job, small_dataset: Dataset, tmp_path: Path, aws: Emulator, machines: Executor
) -> None:
    requests = asked(aws)
    there = jobs.run(wanted, Silent())
    here = LocalJobs(Workspace(tmp_path / ".retailops", "retail-demo", tmp_path)).run(
        job(small_dataset.folder), Silent()
    )
    assert set(there.result) == set(here.result)
    assert there.result["folds"] == here.result["folds"]
    for same in ("parameters", "scores", "value"):
        assert there.result["trials"][0][same] == here.result["trials"][0][same]
    assert [trial["trial"] for trial in there.result["trials"]] == [0, 1, 2, 3]
    assert there.result["improved"] and there.result["tuned"]["max_depth"] > 1
    best = there.result["trials"][there.result["best"]]
    assert [best["scores"]] == scored_here(small_dataset, tmp_path / "alone", best["parameters"])
    again = jobs.run(wanted, Silent())
    assert again.reused and again.result == there.result and len(requests) == 1
    config = requests[0]["HyperParameterTuningJobConfig"]
    assert config["Strategy"] == "Bayesian" and config["TrainingJobEarlyStoppingType"] == "Auto"
    assert config["ResourceLimits"] == {"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 2}
    trial = requests[0]["TrainingJobDefinition"]
    assert trial["EnableManagedSpotTraining"] and trial["EnableNetworkIsolation"]
    assert "ContainerEntrypoint" not in trial["AlgorithmSpecification"] and "WarmStartConfig" not in requests[0]


def scored_here(dataset: Dataset, folder: Path, parameters: dict[str, Any]) -> list[list[float]]:
    """The folds of these parameters in a search on this machine, whose start they are."""
    train = {**TRAIN, "params": {"decision_tree": parameters}}
    alone = Job("tune", "alone", {"dataset": dataset.folder}, {**ASKED, "trials": 1, "train": train})
    found = LocalJobs(Workspace(folder / ".retailops", "retail-demo", folder)).run(alone, Silent())
    return [trial["scores"] for trial in found.result["trials"]]


@pytest.mark.slow
def test_the_next_tuning_of_an_algorithm_starts_from_the_last_and_trials_fall_behind_or_fail(
    jobs: AwsJobs, wanted: Job, aws: Emulator, machines: Executor, watcher: Any
) -> None:
    machines.tuner.broken = {2}
    first = jobs.run(wanted, watcher)
    assert [trial["trial"] for trial in first.result["trials"]] == [0, 1, 2], "the one that failed is left out"
    assert any("-002-" in words and "failed" in words for kind, words in watcher.told if kind == "note")
    machines.tuner.broken, machines.tuner.behind = set(), {1: 0.999}
    requests = asked(aws)
    second = jobs.run(job(wanted.inputs["dataset"], "fedcba9876543210"), Silent())
    (request,) = requests
    (parent,) = request["WarmStartConfig"]["ParentHyperParameterTuningJobs"]
    assert parent == {"HyperParameterTuningJobName": "retail-demo-dev-01234567"}
    assert request["WarmStartConfig"]["WarmStartType"] == "TransferLearning"
    assert [trial["pruned"] for trial in second.result["trials"]] == [False, True, False, False]
    assert second.result["best"] != 1

    def refuse(request: Request) -> Response | None:
        if request.target != "SageMaker.CreateHyperParameterTuningJob" or b"WarmStartConfig" not in request.body:
            return None
        words = (
            "The set of tunable plus static HyperParameter names is not the same across current and parent tuning jobs."
        )
        return Response(json.dumps({"__type": "ValidationException", "message": words}).encode(), 400)

    aws.answer(refuse)
    machines.tuner.behind = {}
    third = jobs.run(job(wanted.inputs["dataset"], "00112233445566", trials=2), watcher)
    assert len(third.result["trials"]) == 2
    assert any("names is not the same" in words for kind, words in watcher.told if kind == "note")


@pytest.mark.slow
def test_trials_that_all_fail_are_told_and_the_next_command_tries_again(
    jobs: AwsJobs, wanted: Job, machines: Executor, aws: Emulator
) -> None:
    machines.tuner.broken = {1, 2, 3}
    with pytest.raises(TargetFailed, match="All training jobs failed") as caught:
        jobs.run(wanted, Silent())
    assert "retail-demo-dev-01234567-" in caught.value.fix
    machines.tuner.broken = set()
    done = jobs.run(wanted, Silent())
    assert len(done.result["trials"]) == 4
    assert list(machines.tuner.searches) == ["retail-demo-dev-01234567", "retail-demo-dev-01234567-2"]


@pytest.mark.slow
def test_a_command_that_is_ended_leaves_the_tuner_running_for_the_next(
    jobs: AwsJobs, wanted: Job, machines: Executor, watcher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Impatient(Silent):
        def stage(self, text: str, total: int | None = None, unit: str = "") -> None:
            if text.startswith("searching"):
                machines.capacity.clear()
                raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="goes on"):
        jobs.run(wanted, Impatient())
    machines.capacity.set()
    done: JobResult = jobs.run(wanted, watcher)
    assert len(done.result["trials"]) == 4 and list(machines.tuner.searches) == ["retail-demo-dev-01234567"]


def test_a_project_with_a_long_name_is_told_before_anything_is_paid_for(
    configured: Callable[[str], Config], tmp_path: Path
) -> None:
    session = Session(configured("project: {name: a-project-of-a-long-name, environment: staging}\n"))
    session.__dict__["account"] = "123456789012"
    mirror = Mirror(session)
    tuner = Tuner(session, mirror, Orders(session, mirror), HURRY, AwsJobs(session, mirror).run)
    with pytest.raises(ConfigError, match="too long"):
        tuner._name(job(tmp_path), 1)


def test_a_space_in_the_tuners_words() -> None:
    space = {"depth": Integer(2, 9), "rate": Real(0.02, 0.4, log=True), "kind": Choice(("gini", "entropy"))}
    assert ranges(space) == {
        "IntegerParameterRanges": [{"Name": "depth", "MinValue": "2", "MaxValue": "9", "ScalingType": "Linear"}],
        "ContinuousParameterRanges": [
            {"Name": "rate", "MinValue": "0.02", "MaxValue": "0.4", "ScalingType": "Logarithmic"}
        ],
        "CategoricalParameterRanges": [{"Name": "kind", "Values": ["gini", "entropy"]}],
    }
