"""The way back on local: what served before serves again as it was, and repeating the command goes no further."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from retailops.config.sections import Gates
from retailops.errors import GateFailed, NotReady, TargetFailed, UsageError
from retailops.progress import Silent

Settled = Callable[[Callable[[], bool]], None]
QUIET = Silent()


def lines_allowed(place: Any) -> int:
    """What the server process itself was started with."""
    (server,) = [process for process in place.processes if process.pid == place.record.pid]
    words = server.cmdline()
    return int(words[words.index("--max-lines") + 1])


def test_without_a_deploy_there_is_no_way_back(place: Any) -> None:
    with pytest.raises(NotReady, match="Nothing is deployed"):
        place.serving().roll_back(None, QUIET)
    assert not place.workspace.exists(), "nothing is made in a folder that isn't ours yet"
    place.serving().roll_out(place.model(1), QUIET)
    with pytest.raises(NotReady, match="Nothing served before version 1"):
        place.serving().roll_back(None, QUIET)
    with pytest.raises(UsageError, match="Version 3 never served") as caught:
        place.serving().roll_back(3, QUIET)
    assert "What did: 1." in caught.value.fix
    assert place.version == 1


def test_the_version_before_comes_back_with_its_settings_and_the_next_deploy_has_the_files(place: Any) -> None:
    place.serving(max_lines=400).roll_out(place.model(1), QUIET)
    place.serving(max_lines=77).roll_out(place.model(2), QUIET)
    assert lines_allowed(place) == 77
    back = place.serving(max_lines=77).roll_back(None, QUIET)
    assert (back.version, back.state, back.returned) == (1, "ready", True)
    assert (place.version, lines_allowed(place), back.settings["deploy.max_lines"]) == (1, 400, 400)
    assert [each.version for each in back.before] == [1, 2]
    assert back.detail["p95_ms"] > 0
    place.serving(max_lines=77).roll_out(place.model(1), QUIET)
    assert (place.version, lines_allowed(place)) == (1, 77)


def test_repeated_it_proves_again_and_goes_neither_further_back_nor_forth(place: Any) -> None:
    for version in (1, 2, 3):
        place.serving().roll_out(place.model(version), QUIET)
    assert place.serving().roll_back(None, QUIET).version == 2
    pid, told = place.record.pid, []
    watching = place.at("proving", lambda: told.append(True))
    for to in (None, 2):
        assert place.serving().roll_back(to, watching).version == 2
    assert place.record.pid == pid and len(told) == 2
    place.serving().roll_out(place.model(4), QUIET)
    assert place.serving().roll_back(None, QUIET).version == 2, "it undoes the deploy of 4, and no more"


@pytest.mark.slow
def test_a_version_of_long_ago_can_be_named_and_so_can_the_one_that_was_left(place: Any) -> None:
    for version in (1, 2, 3):
        place.serving().roll_out(place.model(version), QUIET)
    assert place.serving().roll_back(1, QUIET).version == 1
    assert place.serving().roll_back(3, QUIET).version == 3
    assert place.serving().roll_back(None, QUIET).version == 3
    assert place.version == 3


@pytest.mark.slow
def test_the_same_version_with_other_settings_is_undone_too(place: Any) -> None:
    place.serving(max_lines=400).roll_out(place.model(1), QUIET)
    place.serving(max_lines=77).roll_out(place.model(1), QUIET)
    assert place.serving(max_lines=77).roll_back(None, QUIET).settings["deploy.max_lines"] == 400
    assert place.serving(max_lines=77).roll_back(None, QUIET).settings["deploy.max_lines"] == 400


@pytest.mark.slow
def test_the_address_stays_where_visitors_are(place: Any, settled: Settled) -> None:
    place.serving().roll_out(place.model(1), QUIET)
    old, place.port = place.port, place.free_port()
    place.serving().roll_out(place.model(1), QUIET)
    assert place.serving().endpoint().before == (), "a move is no other way to serve"
    place.serving().roll_out(place.model(2), QUIET)
    back = place.serving().roll_back(None, QUIET)
    assert back.url.endswith(f":{place.port}") and place.version == 1
    settled(lambda: place.refuses(old))


@pytest.mark.slow
def test_a_dead_server_that_is_deployed_again_adds_nothing_to_what_served(place: Any) -> None:
    place.serving().roll_out(place.model(1), QUIET)
    place.serving().roll_out(place.model(2), QUIET)
    place.serving().roll_back(None, QUIET)
    place.kill(place.record.pid)
    again = place.serving().roll_back(None, QUIET)
    assert (again.version, again.returned, [each.version for each in again.before]) == (1, True, [1, 2])
    assert place.version == 1


@pytest.mark.slow
def test_a_live_server_that_died_is_no_obstacle(place: Any) -> None:
    place.serving().roll_out(place.model(1), QUIET)
    place.serving().roll_out(place.model(2), QUIET)
    place.kill(place.record.pid)
    assert place.serving().roll_back(None, QUIET).version == 1
    assert place.version == 1


@pytest.mark.slow
def test_a_bundle_that_was_changed_or_is_gone_is_refused_and_the_live_one_serves_on(
    place: Any, tmp_path: Path, settled: Settled
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(place.bundle, copy)
    place.serving().roll_out(place.model(1, copy), QUIET)
    place.serving().roll_out(place.model(2), QUIET)
    whole = (copy / "model.onnx").read_bytes()
    (copy / "model.onnx").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(NotReady, match=r"doesn't load any more.*model\.onnx"):
        place.serving().roll_back(None, QUIET)
    shutil.rmtree(copy)
    with pytest.raises(NotReady, match=r"doesn't load any more"):
        place.serving().roll_back(None, QUIET)
    assert place.version == 2
    settled(lambda: place.servers == {place.record.pid})


@pytest.mark.slow
def test_another_whole_bundle_in_its_place_is_refused(place: Any, tmp_path: Path, other_bundle: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(place.bundle, copy)
    place.serving().roll_out(place.model(1, copy), QUIET)
    place.serving().roll_out(place.model(2), QUIET)
    shutil.rmtree(copy)
    shutil.copytree(other_bundle, copy)
    with pytest.raises(NotReady, match=r"another bundle is in"):
        place.serving().roll_back(None, QUIET)
    assert place.version == 2


@pytest.mark.slow
def test_one_that_is_too_slow_now_is_not_gone_back_to(place: Any, settled: Settled) -> None:
    place.serving().roll_out(place.model(1), QUIET)
    place.serving().roll_out(place.model(2), QUIET)
    place.gates = Gates(p95_ms=0.001, throughput_rps=0)
    with pytest.raises(GateFailed, match="P95"):
        place.serving().roll_back(None, QUIET)
    assert place.version == 2
    settled(lambda: place.servers == {place.record.pid})


@pytest.mark.slow
def test_no_request_fails_while_versions_come_and_go(place: Any, settled: Settled) -> None:
    place.serving().roll_out(place.model(1), QUIET)
    with place.visitors() as visitors:
        for version in (2, 3, 4):
            place.serving(max_lines=500 - version).roll_out(place.model(version), QUIET)
            place.serving().roll_back(None, QUIET)
        seen = len(visitors.versions)
        settled(lambda: len(visitors.versions) > seen + 100)
    print(f"{len(visitors.versions)} requests, {len(visitors.failed)} failed")
    assert visitors.failed == []
    assert set(visitors.versions) == {1, 2, 3, 4} and visitors.versions[-1] == 1


BACK = """
import signal, sys
from pathlib import Path
from retailops.config.sections import Deploy, Gates, Monitor
from retailops.progress import Silent
from retailops.targets.local import answers, candidate, serving

workspace, port, stage = sys.argv[1:]

def stop(*_):
    print("there", flush=True)
    signal.pause()

class At(Silent):
    def stage(self, text, total=None, unit=""):
        if text.startswith(stage):
            stop()

if stage == "taken":
    answers.require_version = stop
if stage == "committed":
    hear = candidate.Candidate._hear
    def heard(self, event, patience_s):
        found = hear(self, event, patience_s)
        if event == "committed":
            stop()
        return found
    candidate.Candidate._hear = heard
gates = Gates(p95_ms=5000, throughput_rps=1)
serving.LocalServing(Path(workspace), Deploy(port=int(port)), gates, Monitor()).roll_back(None, At())
"""


@pytest.mark.slow
@pytest.mark.parametrize("ends", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("stage", ["checking", "starting", "proving", "handing over", "taken", "committed"])
def test_cut_off_at_any_moment_no_request_fails_and_the_same_command_finishes(
    place: Any, settled: Settled, stage: str, ends: signal.Signals
) -> None:
    place.serving(max_lines=400).roll_out(place.model(1), QUIET)
    place.serving().roll_out(place.model(2), QUIET)
    with place.visitors() as visitors:
        command = [sys.executable, "-c", BACK, str(place.workspace), str(place.port), stage]
        deployer = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert deployer.stdout and deployer.stdout.readline() == b"there\n"
        deployer.send_signal(ends)
        deployer.wait(timeout=60)
        deployer.stdout.close()
        settled(lambda: place.servers == {place.record.pid})
        assert place.version == (1 if stage == "committed" else 2)
        back = place.serving().roll_back(None, QUIET)
    assert (back.version, back.returned, back.settings["deploy.max_lines"]) == (1, True, 400)
    assert [each.version for each in back.before] == [1, 2]
    assert visitors.failed == [] and visitors.versions
    assert place.version == 1


@pytest.mark.slow
def test_a_candidate_that_dies_on_the_way_back_leaves_the_live_one(place: Any) -> None:
    place.serving().roll_out(place.model(1), QUIET)
    place.serving().roll_out(place.model(2), QUIET)

    def kill_candidate() -> None:
        for pid in place.servers - {place.record.pid}:
            place.kill(pid)

    with pytest.raises(TargetFailed, match=r"doesn't answer|SIGKILL"):
        place.serving().roll_back(None, place.at("proving", kill_candidate))
    assert place.version == 2
    assert [each.version for each in place.serving().endpoint().before] == [1]


def test_a_rollback_during_a_deploy_is_told_who_is_first(place: Any) -> None:
    told: list[str] = []

    def second() -> None:
        with pytest.raises(NotReady) as caught:
            place.serving().roll_back(None, QUIET)
        told.append(caught.value.what)

    place.serving().roll_out(place.model(1), QUIET)
    place.serving().roll_out(place.model(2), place.at("proving", second))
    assert "deploy of version 2" in told[0]


@pytest.mark.slow
def test_the_record_of_an_older_retailops_is_read_and_served_over(place: Any) -> None:
    """It had no word of what served before, nor of where its bundle is."""
    place.serving().roll_out(place.model(1), QUIET)
    path = place.workspace / "serving" / "endpoint.json"
    record = json.loads(path.read_text())
    path.write_text(
        json.dumps({key: each for key, each in record.items() if key not in ("before", "bundle", "returned")})
    )
    assert place.serving().roll_out(place.model(2), QUIET).version == 2
    with pytest.raises(NotReady, match="doesn't load any more"):
        place.serving().roll_back(None, QUIET)
    assert place.version == 2


@pytest.mark.slow
def test_what_is_kept_of_what_served_has_an_end(place: Any) -> None:
    place.serving().roll_out(place.model(1), QUIET)
    path = place.workspace / "serving" / "endpoint.json"
    record = json.loads(path.read_text())
    past = {"version": 1, "bundle_hash": "h", "since": "2026-01-02T03:04:05+00:00", "detail": {"bundle": "b"}}
    path.write_text(json.dumps({**record, "before": [past] * 300}))
    assert len(place.serving().roll_out(place.model(2), QUIET).before) == 20
