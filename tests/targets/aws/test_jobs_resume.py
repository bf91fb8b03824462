"""Interrupted anywhere, on a laptop or on spot machines, training ends in the bundles it would have made."""

from __future__ import annotations

import json
import random
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from emulator import Executor
from retailops.config import Config
from retailops.errors import TargetFailed, Unsupported
from retailops.ports import Job, JobResult
from retailops.progress import Silent
from retailops.retail.bundle import Bundle
from retailops.retail.dataset import Dataset
from retailops.targets.aws.jobs import AwsJobs, Patience
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.session import Session
from retailops.targets.local.jobs import LocalJobs
from retailops.targets.local.workspace import Workspace

WORKER = Path(__file__).parents[1] / "retailops_cut_worker.py"
NAME = "retail-demo-dev-train-t1"
ROUNDS = 24
NAMES = ("random_forest", "xgboost")
# Few baskets and the nine plain columns: it is rounds that this is about.
TRAIN: dict[str, Any] = {
    "algorithms": list(NAMES),
    "feature_set": "seed",
    "max_baskets": 1500,
    "threads": 1,
    "params": {name: {"n_estimators": ROUNDS} for name in NAMES},
}


def hashes(done: JobResult) -> dict[str, str]:
    return {name: Bundle.open(done.folder / name).hash for name in NAMES}


def drawn(seed: int, *moments: str) -> list[dict[str, str]]:
    """A round of each algorithm at which it is cut off, and how."""
    chance = random.Random(seed)
    return [
        {"name": name, "round": str(chance.randrange(1, ROUNDS)), "moment": chance.choice(moments)} for name in NAMES
    ]


def told(watcher: Any) -> list[str]:
    """What the job said that it goes on from."""
    notes = [str(what) for kind, what in watcher.told if kind == "note"]
    return [note.rpartition(": ")[2] for note in notes if note.startswith("Going on from")]


def expected(cuts: list[dict[str, str]]) -> list[str]:
    """A round that was never kept whole is done again."""
    kept = [int(cut["round"]) - (cut["moment"] in ("before", "torn")) for cut in cuts]
    said = (f"{kept[0]} of {ROUNDS} trees of random_forest", f"{kept[1]} of {ROUNDS} rounds of xgboost")
    return [each for each in said if not each.startswith("0 ")]


@pytest.fixture(scope="module")
def uninterrupted(small_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> JobResult:
    """What comes out of the worker as it is, which never has time to keep a round."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    return LocalJobs(Workspace(folder / ".retailops", "retail-demo", folder)).run(
        Job("train", "t1", {"dataset": small_dataset.folder}, TRAIN), Silent()
    )


def pushed(mirror: Mirror, dataset: Dataset) -> Path:
    """The dataset on S3."""
    folder = mirror.folder("gold", "some")
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(dataset.folder)
    mirror.push(folder)
    folder.unlink()
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(each, marks=pytest.mark.thorough) for each in range(4, 8))])
def test_killed_at_random_rounds_training_ends_in_the_same_bundles(
    seed: int, small_dataset: Dataset, uninterrupted: JobResult, tmp_path: Path, watcher: Any
) -> None:
    cuts = drawn(seed, "before", "torn", "after")
    (tmp_path / "cuts.json").write_text(json.dumps(cuts))
    workspace = Workspace(tmp_path / ".retailops", "retail-demo", tmp_path)
    laptop = LocalJobs(workspace, (sys.executable, "-P", str(WORKER), str(tmp_path / "cuts.json")))
    job = Job("train", "t1", {"dataset": small_dataset.folder}, TRAIN)
    for _ in cuts:
        with pytest.raises(TargetFailed, match="SIGKILL"):
            laptop.run(job, watcher)
    done = laptop.run(job, watcher)
    assert done.result == uninterrupted.result and hashes(done) == hashes(uninterrupted), cuts
    assert told(watcher) == expected(cuts)
    assert not (done.folder.parent / "checkpoint").exists(), "what is done is kept once"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [100, pytest.param(101, marks=pytest.mark.thorough)])
def test_a_spot_machine_taken_away_at_random_rounds_changes_no_bundle(
    seed: int,
    small_dataset: Dataset,
    uninterrupted: JobResult,
    swift: Session,
    machines: Executor,
    tmp_path: Path,
    watcher: Any,
    settled: Callable[[Callable[[], bool]], None],
) -> None:
    cuts, left = drawn(seed, "wait"), tmp_path / "cuts.json"
    left.write_text(json.dumps(cuts))
    mirror = Mirror(swift)
    dataset = pushed(mirror, small_dataset)
    cloud = AwsJobs(swift, mirror, ("python", "-P", str(WORKER), str(left)), Patience(look=0.05))
    ended: list[JobResult] = []
    job = Job("train", "t1", {"dataset": dataset}, TRAIN)
    thread = threading.Thread(target=lambda: ended.append(cloud.run(job, watcher)))
    thread.start()
    for still in reversed(range(len(cuts))):
        settled(lambda still=still: len(json.loads(left.read_text())) == still)
        machines.interrupt(NAME)
    thread.join(120)
    (done,) = ended
    assert done.result == uninterrupted.result and hashes(done) == hashes(uninterrupted), cuts
    assert told(watcher) == expected(cuts) and machines.runs[NAME].starts == len(cuts) + 1
    assert not mirror.listing(mirror.folder("models", "checkpoints"))


@pytest.mark.slow
def test_two_machines_make_the_bundle_of_one_also_when_they_are_taken_away(
    small_dataset: Dataset,
    uninterrupted: JobResult,
    configured: Callable[[str], Config],
    loaded: boto3.Session,
    machines: Executor,
    tmp_path: Path,
    watcher: Any,
    settled: Callable[[Callable[[], bool]], None],
) -> None:
    session = Session(configured("aws: {training: {instances: 2}}\n"))
    session.__dict__["_boto"] = loaded
    left = tmp_path / "cuts.json"
    left.write_text(json.dumps([{"name": "xgboost", "round": "11", "moment": "wait"}]))
    mirror = Mirror(session)
    cloud = AwsJobs(session, mirror, ("python", "-P", str(WORKER), str(left)), Patience(look=0.05))
    job = Job("train", "t1", {"dataset": pushed(mirror, small_dataset)}, {**TRAIN, "algorithms": ["xgboost"]})
    ended: list[JobResult] = []
    thread = threading.Thread(target=lambda: ended.append(cloud.run(job, watcher)))
    thread.start()
    settled(lambda: left.read_text().strip() == "[]")
    machines.interrupt(NAME)
    thread.join(120)
    (done,) = ended
    expected = uninterrupted.result["runs"]["xgboost"]
    assert done.result["runs"] == {"xgboost": expected}
    assert Bundle.open(done.folder / "xgboost").hash == expected["hash"]
    assert told(watcher) == [f"11 of {ROUNDS} rounds of xgboost"]
    assert (machines.runs[NAME].starts, machines.runs[NAME].order.machines) == (2, 2)


def test_what_one_machine_alone_can_train_is_refused_before_anything_is_asked_for(
    configured: Callable[[str], Config], loaded: boto3.Session, machines: Executor
) -> None:
    session = Session(configured("aws: {training: {instances: 3}}\n"))
    session.__dict__["_boto"] = loaded
    with pytest.raises(Unsupported, match="random_forest trains on one machine"):
        AwsJobs(session, Mirror(session)).run(Job("train", "t1", {}, TRAIN), Silent())
    assert not machines.runs
