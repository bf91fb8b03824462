"""The whole life: run, a live API, monitoring, and nothing left afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from retailops.errors import GateFailed, NotReady
from retailops.lifecycle import monitor, run, status, teardown
from retailops.progress import Silent

pytestmark = pytest.mark.slow
QUIET = Silent()


def ask(url: str, basket: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{url}/predict", json.dumps(basket).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def until(true: Any) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_run_serves_what_it_registered_and_the_monitor_sees_drift(open_project, synthetic_csvs):
    target = open_project({"monitor.min_predictions": "100"})
    with pytest.raises(NotReady):
        monitor.monitor(target, None, None, QUIET)
    done = run.run(target, QUIET)
    assert done.failed is None
    assert [gate["name"] for gate in done.result["gates"]][-2:] == ["P95 ms", "requests a second"]
    endpoint = done.result["deploy"]["endpoint"]
    quiet = monitor.monitor(target, None, None, QUIET)
    assert quiet.failed is None and quiet.result["requests"] == 0
    # One and the same basket, over and over, is as far from the training mix as traffic can be.
    for _ in range(150):
        answer = ask(endpoint["url"], done.result["request"])
    assert answer["model_version"] == endpoint["version"] == 1
    until(lambda: monitor.monitor(target, None, None, QUIET).result["predictions"] == 150)
    alarm = monitor.monitor(target, None, None, QUIET)
    assert isinstance(alarm.failed, GateFailed)
    assert "drift" in alarm.failed.what
    assert alarm.result["latency_ms"]["p95"] > 0
    assert "<svg" in Path(alarm.result["report"]).read_text()
    assert status.status(target).result["endpoint"]["version"] == 1


def test_a_second_run_skips_and_teardown_leaves_the_users_files_alone(open_project, synthetic_csvs, tmp_path):
    target = open_project()
    before = {path.name: path.read_bytes() for path in synthetic_csvs.iterdir()}
    half = run.run(target, QUIET, "train")
    assert [row["stage"] for row in half.result["stages"]] == ["infra", "etl", "features", "train"]
    assert target.models.versions() == [] and target.serving.endpoint() is None
    run.run(target, QUIET)
    again = run.run(target, QUIET)
    assert {row["stage"] for row in again.result["stages"] if row["skipped"]} >= {"infra", "etl", "train"}
    gone = teardown.teardown(target, QUIET)
    assert gone.failed is None and gone.result["left"] == []
    assert gone.result["removed"] > 0
    assert {path.name for path in tmp_path.iterdir()} == {"retail.yaml"}
    assert {path.name: path.read_bytes() for path in synthetic_csvs.iterdir()} == before
    assert target.serving.endpoint() is None
    twice = teardown.teardown(target, QUIET)
    assert twice.failed is None and twice.result["removed"] == 0


def test_run_stops_at_a_gate_and_says_how_far_it_came(open_project):
    stopped = run.run(open_project({"gates.accuracy": "1.0", "gates.precision": "1.0"}), QUIET)
    assert isinstance(stopped.failed, GateFailed)
    assert [row["stage"] for row in stopped.result["stages"] if not row["ok"]] == ["register"]
    assert "deploy" not in stopped.result


def test_a_run_killed_at_any_moment_ends_in_the_same_bundle(open_project, tmp_path):
    target = open_project()
    command = [sys.executable, "-m", "retailops", "run", "--json", "--quiet", "--config", str(tmp_path / "retail.yaml")]
    for seconds in (0.8, 2.0, 3.5, 5.0, 7.0):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
    done = run.run(target, QUIET)
    assert done.failed is None
    resumed = [row.bundle_hash for row in target.models.runs()]
    teardown.teardown(target, QUIET)
    run.run(target, QUIET)
    assert [row.bundle_hash for row in target.models.runs()] == resumed
