"""The index of runs and versions, the bundles it names, and their mirror in MLflow."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from retailops.errors import TargetFailed
from retailops.ports import Approval, Run
from retailops.retail.bundle import MODEL, Bundle
from retailops.targets.local import tracking
from retailops.targets.local.models import LocalModels
from retailops.targets.local.workspace import Workspace

MakeRun = Callable[..., Run]


@pytest.fixture
def models(prepared: Workspace) -> LocalModels:
    return LocalModels(prepared)


def mlflow(workspace: Workspace) -> Any:
    """MLflow's own client, as a person would open the database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

        address = f"sqlite:///{workspace.folder / 'mlflow.db'}"
        return MlflowClient(tracking_uri=address, registry_uri=address)


def mirrored_runs(workspace: Workspace) -> list[Any]:
    client = mlflow(workspace)
    return list(client.search_runs([client.get_experiment_by_name("retail-demo").experiment_id]))


def shown(workspace: Workspace) -> tuple[int, int]:
    """How many finished runs and versions MLflow's tables hold, read without MLflow, which keeps databases open."""
    connection = sqlite3.connect(workspace.folder / "mlflow.db")
    runs = connection.execute("SELECT count(*) FROM runs WHERE status = 'FINISHED'").fetchone()[0]
    versions = connection.execute("SELECT count(*) FROM model_versions").fetchone()[0]
    connection.close()
    return runs, versions


@pytest.fixture
def afresh(workspace: Workspace) -> Callable[[str], None]:
    """Do something with the models in another process, as the next command would."""

    def do(statement: str) -> None:
        code = f"""
from pathlib import Path
from retailops.targets.local.models import LocalModels
from retailops.targets.local.workspace import Workspace
models = LocalModels(Workspace(Path({str(workspace.folder)!r}), "retail-demo", Path({str(workspace.home)!r})))
{statement}
"""
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert ended.stderr == "", "nothing of MLflow's chatter reaches the screen"

    return do


def test_mlflow_shows_runs_and_versions(models: LocalModels, make_run: MakeRun, workspace: Workspace) -> None:
    run = models.record(make_run())
    models.add(run)
    (shown,) = mirrored_runs(workspace)
    assert shown.info.run_name == run.id
    assert shown.info.status == "FINISHED"
    assert shown.data.metrics == {
        "accuracy": 0.9,
        "macro_f1": 0.8,
        "precision_la": 0.7,
        "precision_mm": 0.9,
        "precision_um": 0.8,
        "pricing_error": 0.05,
    }
    assert shown.data.params == {"max_depth": "4", "leanings.folds": "5", "leanings.weights": '["one"]'}
    assert shown.data.tags["dataset"] == "d1"
    assert shown.data.tags["bundle"] == run.bundle_hash
    (version,) = mlflow(workspace).search_model_versions("name = 'retail-demo'")
    assert (version.version, version.run_id) in {(1, shown.info.run_id), ("1", shown.info.run_id)}
    artifacts = mlflow(workspace).list_artifacts(shown.info.run_id, "bundle")
    assert f"bundle/{MODEL}" in [artifact.path for artifact in artifacts]


def test_nothing_falls_out_of_the_workspace(
    models: LocalModels, make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    models.add(make_run())
    assert not list(elsewhere.iterdir())


def test_reading_does_not_pay_for_mlflow(models: LocalModels, make_run: MakeRun, workspace: Workspace) -> None:
    models.add(make_run())
    code = f"""
import sys
from pathlib import Path
from retailops.targets.local.models import LocalModels
from retailops.targets.local.workspace import Workspace
models = LocalModels(Workspace(Path({str(workspace.folder)!r}), "retail-demo", Path({str(workspace.home)!r})))
print(len(models.runs()), models.versions()[0].version, sorted({{"mlflow", "sqlalchemy", "pandas"}} & set(sys.modules)))
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told == "1 1 []\n"


def test_the_bundle_is_kept_though_the_job_s_output_goes(models: LocalModels, make_run: MakeRun) -> None:
    made = make_run()
    kept = models.record(made)
    for path in made.bundle.iterdir():
        path.unlink()
    assert Bundle.open(kept.bundle).hash == made.bundle_hash
    assert models.runs() == [kept]


def test_a_damaged_bundle_is_refused_and_nothing_is_noted(models: LocalModels, make_run: MakeRun) -> None:
    run = make_run()
    (run.bundle / MODEL).write_bytes(b"m0del")
    with pytest.raises(TargetFailed, match=MODEL):
        models.record(run)
    assert models.runs() == []


def test_a_bundle_that_is_not_the_run_s_own_is_refused(models: LocalModels, make_run: MakeRun) -> None:
    run = dataclasses.replace(make_run(), bundle=make_run(b"another").bundle)
    with pytest.raises(TargetFailed, match="isn't the one that run"):
        models.record(run)


def test_recording_again_heals_our_own_damaged_copy(models: LocalModels, make_run: MakeRun) -> None:
    run = make_run()
    kept = models.record(run)
    (kept.bundle / MODEL).write_bytes(b"m0del")
    models.record(run)
    assert Bundle.open(kept.bundle).hash == run.bundle_hash


def test_a_copy_cut_short_is_made_again(models: LocalModels, make_run: MakeRun, workspace: Workspace) -> None:
    run = make_run()
    workspace.claim()
    unfinished = workspace.folder / "models" / f".{run.bundle_hash}.unfinished"
    unfinished.mkdir()
    (unfinished / "junk").touch()
    Bundle.open(models.record(run).bundle)
    assert not unfinished.exists()


def test_the_mirror_catches_up_after_a_command_was_killed_in_between(
    models: LocalModels, make_run: MakeRun, workspace: Workspace
) -> None:
    models.add(make_run(b"one"))
    index = workspace.folder / "models" / "index.json"
    behind = json.loads(index.read_text())
    models.add(make_run(b"two"))
    ahead = json.loads(index.read_text())
    index.write_text(json.dumps({**ahead, "mirrored": behind["mirrored"]}))  # mirrored, but killed before noting so
    models.record(make_run(b"three"))
    assert sorted(run.info.run_name for run in mirrored_runs(workspace)) == sorted(run.id for run in models.runs())
    assert len(mlflow(workspace).search_model_versions("name = 'retail-demo'")) == 2


@pytest.mark.slow
def test_a_removed_mlflow_database_is_made_again(
    models: LocalModels, make_run: MakeRun, workspace: Workspace, afresh: Callable[[str], None]
) -> None:
    models.add(make_run(b"one"))
    (workspace.folder / "mlflow.db").unlink()
    afresh("models.record(models.runs()[0])")
    assert shown(workspace) == (1, 1)


def test_a_broken_mlflow_database_is_told_and_loses_nothing(
    models: LocalModels, make_run: MakeRun, workspace: Workspace
) -> None:
    (workspace.folder / "mlflow.db").write_bytes(b"this is not a database, it is a text" * 100)
    with pytest.raises(TargetFailed, match=r"mlflow\.db can't be used"):
        models.record(make_run())
    assert len(models.runs()) == 1
    (workspace.folder / "mlflow.db").unlink()
    models.add(models.runs()[0])
    assert shown(workspace) == (1, 1)


def test_a_run_that_was_mirrored_by_half_is_mirrored_anew(
    models: LocalModels, make_run: MakeRun, workspace: Workspace
) -> None:
    run = models.record(make_run())
    (whole,) = mirrored_runs(workspace)
    with sqlite3.connect(workspace.folder / "mlflow.db") as connection:
        connection.execute("UPDATE runs SET status = 'RUNNING'")
    connection.close()
    index = workspace.folder / "models" / "index.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), "mirrored": {"runs": [], "versions": []}}))
    models.record(run)
    (anew,) = mirrored_runs(workspace)
    assert anew.info.run_id != whole.info.run_id
    assert anew.data.metrics == whole.data.metrics


def test_tables_that_were_made_by_half_are_made_anew(make_run: MakeRun, workspace: Workspace) -> None:
    workspace.claim()
    half = workspace.folder / "mlflow-0123abcd.unfinished"
    half.write_bytes(b"half a database")
    LocalModels(workspace).record(make_run())
    assert shown(workspace) == (1, 0)
    assert not half.exists()


def test_a_damaged_index_is_told_not_guessed(models: LocalModels, make_run: MakeRun, workspace: Workspace) -> None:
    models.record(make_run())
    (workspace.folder / "models" / "index.json").write_text('{"runs": [')
    with pytest.raises(TargetFailed, match=r"index\.json"):
        models.runs()


def test_mlflow_shows_what_was_decided_and_what_tuned_a_run(
    models: LocalModels, make_run: MakeRun, workspace: Workspace
) -> None:
    models.add(dataclasses.replace(make_run(), tuned_by="0123456789abcdef"))
    models.decide(1, Approval("rejected", "ann", "2026-01-02T03:04:05+00:00", "too few weeks"))
    models.decide(1, Approval("approved", "bob", "2026-01-03T03:04:05+00:00"))
    (run,) = mirrored_runs(workspace)
    assert run.data.tags["retailops.tuned_by"] == "0123456789abcdef"
    (version,) = mlflow(workspace).search_model_versions("name = 'retail-demo'")
    assert {name: text for name, text in version.tags.items() if "approval" in name} == {
        "retailops.approval": "approved",
        "retailops.approval.by": "bob",
        "retailops.approval.at": "2026-01-03T03:04:05+00:00",
        "retailops.approval.reason": "",
    }


def test_a_decision_that_was_not_mirrored_is_mirrored_with_the_next(
    models: LocalModels, make_run: MakeRun, workspace: Workspace
) -> None:
    models.add(make_run())
    index = workspace.folder / "models" / "index.json"
    behind = json.loads(index.read_text())["mirrored"]
    entry = {"status": "approved", "by": "ann", "at": "2026-01-02T03:04:05+00:00", "reason": ""}
    whole = json.loads(index.read_text())
    whole["versions"][0]["approval"] = entry
    index.write_text(json.dumps({**whole, "mirrored": behind}))  # noted, but killed before it was mirrored
    models.record(make_run(b"another"))
    (version,) = mlflow(workspace).search_model_versions("name = 'retail-demo'")
    assert version.tags["retailops.approval"] == "approved"


def test_an_index_of_an_earlier_version_is_understood(
    models: LocalModels, make_run: MakeRun, workspace: Workspace
) -> None:
    made = models.add(make_run())
    index = workspace.folder / "models" / "index.json"
    now = json.loads(index.read_text())
    for run in now["runs"]:
        del run["tuned_by"]
    del now["mirrored"]["approvals"]
    index.write_text(json.dumps(now))
    assert models.versions() == [made]
    models.decide(1, Approval("approved", "ann", "2026-01-02T03:04:05+00:00"))
    assert models.versions()[0].approval.status == "approved"


def test_metrics_are_flat_finite_numbers() -> None:
    scorecard = {"f1": {"LA": 1, "deep": {"X": 2.0}}, "nan": float("nan"), "ok": True, "text": "x", "list": [1]}
    assert tracking.numbers(scorecard) == {"f1_la": 1.0, "f1_deep_x": 2.0}
