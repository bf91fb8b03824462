"""Back to what served before: model, settings and product features together; and what status makes of it all."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from retailops import config, targets
from retailops.errors import GateFailed, NotReady, TargetFailed, UsageError
from retailops.lifecycle import approval, deploy, etl, register, rollback, status, train
from retailops.ports import Target
from retailops.progress import Silent
from retailops.retail.algorithms import NAMES

pytestmark = pytest.mark.slow
QUIET = Silent()
SMALL = {"train.algorithms": "[decision_tree, logistic_regression]", "features.sweeps": "3", "features.folds": "2"}
Open = Callable[..., Target]


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory, synthetic_csvs: Path) -> Path:
    """A workspace with two registered versions, from which each test starts."""
    folder = tmp_path_factory.mktemp("registered")
    file = folder / "retail.yaml"
    file.write_text(f"data: {{input: {json.dumps(str(synthetic_csvs))}}}\n")
    target = targets.open_target(
        config.load(file, targets=targets.settings(), algorithms=NAMES, overrides=SMALL, environ={})
    )
    etl.etl(target, None, QUIET)
    for run in train.train(target, None, QUIET).result["runs"].values():
        assert register.register(target, run, QUIET).failed is None
    return folder / ".retailops"


@pytest.fixture
def reopen(open_project: Open, registered: Path, tmp_path: Path) -> Open:
    """The project with those versions, opened again with other settings."""
    shutil.copytree(registered, tmp_path / ".retailops", symlinks=True)

    def opened(settings: dict[str, str] | None = None) -> Target:
        return open_project({**SMALL, **(settings or {})})

    return opened


@pytest.fixture
def two(reopen: Open) -> Target:
    """Version 1 was live, version 2 is, with other settings."""
    first = reopen({"deploy.max_lines": "400"})
    assert deploy.deploy(first, 1, QUIET).failed is None
    target = reopen({"deploy.max_lines": "77"})
    assert deploy.deploy(target, 2, QUIET).failed is None
    return target


def product(target: Target) -> str:
    return next(each.version for each in target.features.published() if each.group == "product")


def bundle(target: Target, version: int) -> str:
    return target.models.versions()[version - 1].run.bundle_hash


def findings(target: Target) -> dict[str, dict[str, Any]]:
    return {each["check"]: each for each in status.status(target).result["findings"]}


def test_model_settings_and_features_go_back_together_and_repeating_changes_nothing(two: Target) -> None:
    assert product(two) == bundle(two, 2)[:16]
    assert findings(two) == {}
    back = rollback.rollback(two, None, QUIET)
    assert back.failed is None
    assert (back.result["from"], back.result["to"], back.result["repeated"]) == (2, 1, False)
    assert back.result["reverted"] == {
        "model": bundle(two, 1),
        "config": {"deploy.max_lines": {"from": 77, "to": 400}},
        "features": bundle(two, 1)[:16],
    }
    assert back.result["unlike_retail_yaml"] == {"deploy.max_lines": {"live": 400, "file": 77}}
    assert [gate["name"] for gate in back.result["gates"]] == ["P95 ms", "requests a second"]
    assert product(two) == bundle(two, 1)[:16]
    again = rollback.rollback(two, None, QUIET)
    assert (again.result["from"], again.result["to"], again.result["repeated"]) == (1, 1, True)
    assert again.result["endpoint"]["pid"] == back.result["endpoint"]["pid"]
    found = findings(two)
    assert [*found] == ["settings"] and "deploy.max_lines is 400, there 77" in found["settings"]["what"]
    assert deploy.deploy(two, 1, QUIET).failed is None, "what it says to do"
    assert findings(two) == {}
    assert deploy.deploy(two, 2, QUIET).result["features"] == bundle(two, 2)[:16] == product(two)


def test_what_never_served_and_what_was_rejected_are_not_gone_back_to(reopen: Open) -> None:
    target = reopen()
    with pytest.raises(NotReady, match="Nothing is deployed"):
        rollback.rollback(target, None, QUIET)
    deploy.deploy(target, 1, QUIET)
    with pytest.raises(NotReady, match="Nothing served before"):
        rollback.rollback(target, None, QUIET)
    with pytest.raises(UsageError, match="Version 2 never served") as caught:
        rollback.rollback(target, 2, QUIET)
    assert "What did: 1" in caught.value.fix
    deploy.deploy(target, 2, QUIET)
    approval.decide(target, 1, "rejected", "wrong weeks")
    for to in (None, 1):
        refused = rollback.rollback(target, to, QUIET)
        assert isinstance(refused.failed, GateFailed) and "wrong weeks" in refused.failed.what
        assert refused.result["endpoint"] is None
    assert target.serving.endpoint().version == 2
    strict = reopen({"gates.approval": "required"})
    approval.decide(strict, 1, "approved", "")
    assert rollback.rollback(strict, None, QUIET).failed is None
    refused = rollback.rollback(strict, 2, QUIET)
    assert isinstance(refused.failed, GateFailed) and "isn't approved" in refused.failed.what


def test_features_that_can_not_follow_are_told_and_the_same_command_finishes(two: Target, tmp_path: Path) -> None:
    database = tmp_path / ".retailops" / "features" / "online.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as browser:
        browser.execute("BEGIN IMMEDIATE")
        half = rollback.rollback(two, None, QUIET)
    assert isinstance(half.failed, TargetFailed) and half.failed.code == 5
    assert "Version 1 serves" in half.failed.what and "locked" in half.failed.what
    assert half.result["endpoint"]["version"] == 1
    found = findings(two)
    assert found["features"]["what"] == "The store has the product features of version 2; live is version 1."
    assert "retailops deploy --version 1" in found["features"]["fix"]
    done = rollback.rollback(two, None, QUIET)
    assert done.failed is None and done.result["repeated"]
    assert product(two) == bundle(two, 1)[:16]


CUT = """
import os, signal, sys
from retailops import cli
from retailops.cli import progress

_, there, how, *words = sys.argv
stage = progress.Opened.stage

def cut(self, text, total=None, unit=""):
    if text.startswith(there):
        os.kill(os.getpid(), signal.SIGKILL if how == "kill" else signal.SIGINT)
    stage(self, text, total, unit)

progress.Opened.stage = cut
sys.argv = ["retailops", *words]
cli.main()
"""


@pytest.mark.parametrize("how", ["kill", "interrupt"])
@pytest.mark.parametrize("stage", ["proving", "handing over", "publishing the product"])
def test_a_command_cut_off_in_the_middle_is_finished_by_the_same_command(
    two: Target, tmp_path: Path, stage: str, how: str
) -> None:
    words = ["rollback", "--json", "--config", str(tmp_path / "retail.yaml")]
    settings = {f"RETAILOPS_{key.upper().replace('.', '__')}": value for key, value in SMALL.items()}
    environment = {**os.environ, **settings, "RETAILOPS_DEPLOY__MAX_LINES": "77"}
    cut = subprocess.run(
        [sys.executable, "-c", CUT, stage, how, *words], env=environment, capture_output=True, text=True, timeout=120
    )
    assert cut.returncode == (-signal.SIGKILL if how == "kill" else 130), cut.stdout + cut.stderr
    served = two.serving.endpoint()
    assert served.state == "ready" and served.version == (1 if stage.startswith("publishing") else 2)
    done = subprocess.run(
        [sys.executable, "-m", "retailops", *words], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["result"]["to"] == 1
    assert product(two) == bundle(two, 1)[:16]
    assert two.serving.endpoint().settings["deploy.max_lines"] == 400


def test_status_tells_what_is_live_from_what_the_registry_says(reopen: Open, tmp_path: Path) -> None:
    target = reopen()
    assert status.status(target).result["findings"] == []
    deploy.deploy(target, 1, QUIET)
    waiting = findings(target)
    assert [*waiting] == ["newer version"], "and what version 1 knows of products came with it"
    assert waiting["newer version"]["what"] == "Version 2 is registered and not live."
    assert findings(reopen({"gates.approval": "required"})) == {}, "where only approved ones may go live, none waits"
    approval.decide(target, 2, "approved", "")
    assert findings(target)["newer version"]["what"] == "Version 2 is approved and not live."
    assert status.status(target).result["newest_approved"] == 2
    approval.decide(target, 1, "rejected", "wrong weeks")
    found = findings(target)["approval"]
    assert "wrong weeks" in found["what"] and "retailops rollback" in found["fix"]
    index = tmp_path / ".retailops" / "models" / "index.json"
    registry = json.loads(index.read_text())
    one, two = registry["versions"]
    one["run"], two["run"] = two["run"], one["run"]  # as if the registry had been made anew from other trainings
    index.write_text(json.dumps(registry))
    assert findings(target)["registry"]["state"] == "failed"
    with pytest.raises(NotReady, match="Nothing served before"):
        rollback.rollback(target, None, QUIET)
    server = psutil.Process(target.serving.endpoint().detail["pid"])
    server.kill()
    server.wait(timeout=20)
    assert "is gone" in findings(target)["endpoint"]["what"]


def test_a_version_that_the_registry_knows_otherwise_is_not_gone_back_to(two: Target, tmp_path: Path) -> None:
    index = tmp_path / ".retailops" / "models" / "index.json"
    registry = json.loads(index.read_text())
    registry["versions"][0]["run"] = registry["versions"][1]["run"]
    index.write_text(json.dumps(registry))
    refused = rollback.rollback(two, None, QUIET)
    assert isinstance(refused.failed, NotReady) and "doesn't know it as it was" in refused.failed.what
    assert two.serving.endpoint().version == 2
