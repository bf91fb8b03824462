"""The same life on SageMaker as on a laptop: the same dataset, the same scorecards, the same bundles, to the byte."""

from __future__ import annotations

import csv
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulator, Executor, grounds
from emulator.recording import recorded
from retailops import config as configuration
from retailops import files, targets
from retailops.errors import UsageError
from retailops.lifecycle import etl, features, register, train, tune
from retailops.ports import Job, JobResult, Target
from retailops.progress import Silent
from retailops.retail import algorithms, scoring
from retailops.retail.bundle import Bundle
from retailops.retail.dataset import Dataset
from retailops.retail.feature_groups import GROUPS
from retailops.targets.aws import permissions
from retailops.targets.aws.jobs import AwsJobs, Patience
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.session import Session
from retailops.targets.aws.settings import Settings
from retailops.targets.local.jobs import LocalJobs
from retailops.targets.local.workspace import Workspace

ETL = {"labelled": True, "max_quarantined": 0.01, "memory_mb": 300, "threads": 1}
TRAIN = {"algorithms": ["decision_tree", "xgboost"], "threads": 1}


@pytest.fixture
def mirror(swift: Session) -> Mirror:
    return Mirror(swift)


@pytest.fixture
def here(tmp_path: Path) -> LocalJobs:
    return LocalJobs(Workspace(tmp_path / ".retailops", "retail-demo", tmp_path))


@pytest.fixture
def there(machines: Executor, swift: Session, mirror: Mirror) -> AwsJobs:
    return AwsJobs(swift, mirror, patience=Patience(look=0.05))


def pushed(mirror: Mirror, source: Path, *name: str) -> Path:
    """The folder of a zone that `source` was uploaded to."""
    folder = mirror.folder(*name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(source)
    mirror.push(folder)
    folder.unlink()
    return folder


def published(mirror: Mirror, done: JobResult) -> Path:
    """What AwsLake.publish does: the manifest among the datasets, and where the zones are."""
    folder = mirror.folder("gold", "datasets", str(done.result["dataset"]))
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_bytes((done.folder / "manifest.json").read_bytes())
    files.write_json(folder / "places.json", mirror.outputs(done.folder.parent.name))
    mirror.push(folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_etl_training_and_scoring_give_what_they_give_on_a_laptop(
    here: LocalJobs, there: AwsJobs, mirror: Mirror, synthetic_csvs: Path, machines: Executor
) -> None:
    quiet = Silent()
    raw = pushed(mirror, synthetic_csvs, "raw", "r1")
    one = here.run(Job("etl", "e1", {"source": synthetic_csvs}, ETL), quiet)
    other = there.run(Job("etl", "e1", {"source": raw}, ETL), quiet)
    assert other.result == one.result
    assert sorted(path.name for path in other.folder.iterdir()) == ["manifest.json", "result.json"]
    dataset = published(mirror, other)
    mirror.fetch(dataset)
    for zone in ("silver", "gold"):
        assert contents(dataset / zone) == contents(one.folder / zone) != {}

    one_trained = here.run(Job("train", "t1", {"dataset": one.folder}, TRAIN), quiet)
    other_trained = there.run(Job("train", "t1", {"dataset": dataset}, TRAIN), quiet)
    assert other_trained.result == one_trained.result
    for name in TRAIN["algorithms"]:
        assert Bundle.open(other_trained.folder / name).hash == one_trained.result["runs"][name]["hash"]

    inputs: dict[str, Any] = {"dataset": one.folder, "bundle": one_trained.folder / "xgboost"}
    one_scored = here.run(Job("predict", "p1", inputs, {"threads": 1}), quiet)
    inputs = {"dataset": dataset, "bundle": other_trained.folder / "xgboost"}
    other_scored = there.run(Job("predict", "p1", inputs, {"threads": 1}), quiet)
    assert other_scored.result == one_scored.result
    assert (other_scored.folder / scoring.OUTPUT).read_bytes() == (one_scored.folder / scoring.OUTPUT).read_bytes()
    assert [run.order.kind for run in machines.runs.values()] == ["processing", "training", "processing"]


def test_a_bad_input_fails_as_on_a_laptop_and_can_be_run_again(
    here: LocalJobs, there: AwsJobs, mirror: Mirror, tmp_path: Path
) -> None:
    (tmp_path / "weeks").mkdir()
    (tmp_path / "weeks" / "broken.csv").write_text("SHOP_WEEK\n200607\n")
    raw = pushed(mirror, tmp_path / "weeks", "raw", "r1")
    told = []
    for jobs, source in ((here, tmp_path / "weeks"), (there, raw), (there, raw)):
        with pytest.raises(UsageError, match=r"broken\.csv, line 1") as caught:
            jobs.run(Job("etl", "e1", {"source": source}, ETL), Silent())
        told.append((caught.value.what, caught.value.fix, caught.value.details))
    assert told[0] == told[1] == told[2]
    assert not mirror.listing(mirror.folder("silver", "jobs"))


@pytest.mark.slow
def test_an_interrupted_training_ends_in_the_same_bundles(
    here: LocalJobs,
    there: AwsJobs,
    mirror: Mirror,
    small_dataset: Dataset,
    machines: Executor,
    settled: Callable[[Callable[[], bool]], None],
    watcher: Any,
) -> None:
    dataset = pushed(mirror, small_dataset.folder, "gold", "some")
    wanted = {"algorithms": ["decision_tree", "random_forest", "xgboost"], "threads": 1}
    one = here.run(Job("train", "t1", {"dataset": small_dataset.folder}, wanted), Silent())
    ended: list[JobResult] = []
    job = Job("train", "t1", {"dataset": dataset}, wanted)
    thread = threading.Thread(target=lambda: ended.append(there.run(job, watcher)))
    thread.start()
    run = machines.started("retail-demo-dev-train-t1")
    kept = run.folder / "opt/ml/checkpoints"
    settled((kept / "decision_tree.json").is_file)
    machines.interrupt("retail-demo-dev-train-t1")
    thread.join(120)
    (other,) = ended
    assert run.starts == 2 and other.result == one.result
    for name in wanted["algorithms"]:
        assert Bundle.open(other.folder / name).hash == one.result["runs"][name]["hash"]
    assert ("note", "Going on from what was kept: the leanings") in watcher.told
    assert not mirror.listing(mirror.folder("models", "checkpoints")), "what is done is kept once"


def known_features(target: Target, weeks: Path) -> tuple[Any, ...]:
    """What the feature store says of some rows' customers, stores and products, now and at the time of the row."""
    counts = features.ingest(target, Silent()).result["features"]
    counts = {name: {**live, "published": ""} for name, live in counts.items()}
    assert features.ingest(target, Silent()).result["reused"]
    with max(weeks.glob("*.csv")).open(newline="") as file:
        rows = [row for row, _ in zip(csv.DictReader(file), range(200), strict=False) if row["CUST_CODE"]]
    moments = [datetime.strptime(f"{row['SHOP_DATE']}{row['SHOP_HOUR']:>02}+0000", "%Y%m%d%H%z") for row in rows]
    found = []
    for group in GROUPS.values():
        keys = [row[group.key.upper()] for row in rows]
        found.append(
            (target.features.online(group, keys), target.features.before(group, [*zip(keys, moments, strict=True)]))
        )
    assert len(rows) > 50 and any(found[-1][1])
    return counts, found


@pytest.mark.slow
def test_the_life_of_a_model_is_the_same_up_to_its_registration(
    tmp_path: Path, synthetic_csvs: Path, machines: Executor, aws: Emulator
) -> None:
    told, searched = [], []
    grounds.store(aws)
    with recorded(aws) as actions:
        for name in ("local", "aws"):
            (tmp_path / "retail.yaml").write_text(
                f"version: 1\ntarget: {name}\ntrain: {{algorithms: [decision_tree]}}\netl: {{threads: 1}}\n"
            )
            found = configuration.load(
                tmp_path / "retail.yaml", targets=targets.settings(), algorithms=algorithms.NAMES, environ={}
            )
            target = targets.open_target(found)
            if isinstance(target.jobs, AwsJobs):
                target.jobs._patience = Patience(look=0.05)
            made = etl.etl(target, synthetic_csvs, Silent()).result
            trained = train.train(target, None, Silent()).result
            registered = register.register(target, None, Silent()).result
            tuned = tune.tune(target, "decision_tree", 2, Silent()).result
            assert tuned["run"] in {run.id for run in target.models.runs()} and Path(tuned["report"]).is_file()
            (start, tried), folds = tuned["trials"], tuned["folds"]
            assert start["trial"] == 0 and len(tried["scores"]) <= len(folds)
            told.append((made["dataset"], made["rows"], trained["runs"], trained["scorecards"], registered["version"]))
            told[-1] += known_features(target, synthetic_csvs)
            searched.append((start["parameters"], start["scores"], folds, tuned["study"]))
    assert told[0] == told[1] and searched[0] == searched[1]
    names = Session(found).names
    allowed = {action for right in permissions.rights(names, Settings()) for action in right.actions}
    by_the_machines = {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}
    assert not actions - allowed - by_the_machines
