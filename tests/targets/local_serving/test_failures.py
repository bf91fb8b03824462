"""Whatever goes wrong in a deploy, and whoever dies in it, the old version serves on and the next deploy heals."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from retailops.config.sections import Gates
from retailops.errors import GateFailed, TargetFailed
from retailops.progress import Silent
from retailops.targets.local import answers
from retailops.targets.local.wanted import Wanted

pytestmark = pytest.mark.slow  # each starts servers and looks at what becomes of them

Settled = Callable[[Callable[[], bool]], None]


def slow(value: str) -> Any:
    return pytest.param(value, marks=pytest.mark.slow)


def test_a_bundle_with_one_byte_changed_is_refused_and_the_old_one_serves_on(place: Any, tmp_path: Path) -> None:
    place.serving().roll_out(place.model(1), Silent())
    with pytest.raises(TargetFailed, match=r"model\.onnx"):
        place.serving().roll_out(place.model(2, place.corrupted(tmp_path)), Silent())
    assert place.version == 1
    assert place.servers == {place.record.pid}


def test_the_server_itself_refuses_a_bundle_that_changes_after_the_deployers_look(place: Any, tmp_path: Path) -> None:
    place.serving().roll_out(place.model(1), Silent())
    copy = tmp_path / "copy"
    shutil.copytree(place.bundle, copy)
    change = place.at("starting", lambda: (copy / "encoder.json").write_text("{}") and None)
    with pytest.raises(TargetFailed, match=r"encoder\.json"):
        place.serving().roll_out(place.model(2, copy), change)
    assert place.version == 1
    assert place.servers == {place.record.pid}


@pytest.mark.parametrize(
    ("gates", "word"),
    [(Gates(p95_ms=0.001, throughput_rps=0), "P95"), (Gates(p95_ms=5000, throughput_rps=9_999_999), "throughput_rps")],
)
def test_a_server_below_its_gates_doesnt_go_live(place: Any, gates: Gates, word: str) -> None:
    place.serving().roll_out(place.model(1), Silent())
    place.gates = gates
    with pytest.raises(GateFailed, match=word):
        place.serving().roll_out(place.model(2), Silent())
    assert place.version == 1
    assert place.servers == {place.record.pid}


def test_a_candidate_that_dies_is_reported_and_the_old_one_serves_on(place: Any) -> None:
    place.serving().roll_out(place.model(1), Silent())

    def kill_candidate() -> None:
        for pid in place.servers - {place.record.pid}:
            place.kill(pid)

    with pytest.raises(TargetFailed, match=r"doesn't answer|SIGKILL"):
        place.serving().roll_out(place.model(2), place.at("proving", kill_candidate))
    assert place.version == 1
    assert place.servers == {place.record.pid}


def test_a_candidate_that_dies_while_starting_shows_its_last_words(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = Wanted.arguments
    monkeypatch.setattr(Wanted, "arguments", lambda self, *folders: [*arguments(self, *folders), "--nonsense"])
    with pytest.raises(TargetFailed, match=r"(?s)exited with 2.*unrecognized arguments: --nonsense"):
        place.serving().roll_out(place.model(1), Silent())
    assert place.serving().endpoint() is None


def test_a_candidate_that_dies_after_taking_the_port_gives_it_back(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    place.serving().roll_out(place.model(1), Silent())
    monkeypatch.setattr(answers, "require_version", lambda record: place.kill(record.pid))
    with pytest.raises(TargetFailed):
        place.serving().roll_out(place.model(2), Silent())
    assert place.version == 1
    assert place.servers == {place.record.pid}


@pytest.mark.parametrize("stage", [slow("checking"), slow("starting"), slow("proving"), "handing over"])
def test_an_interrupted_deploy_leaves_the_old_one_serving(place: Any, stage: str) -> None:
    place.serving().roll_out(place.model(1), Silent())

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.serving().roll_out(place.model(2), place.at(stage, interrupt))
    assert place.version == 1
    assert place.servers == {place.record.pid}
    assert place.serving().roll_out(place.model(2), Silent()).version == 2


DEPLOYER = """
import signal, sys
from pathlib import Path
from retailops.config.sections import Deploy, Gates, Monitor
from retailops.ports import ModelVersion, Run
from retailops.progress import Silent
from retailops.targets.local import answers, serving as module

workspace, bundle, port, stage = sys.argv[1:]

def stop(*_):
    print("there", flush=True)
    signal.pause()

class At(Silent):
    def stage(self, text, total=None, unit=""):
        if text.startswith(stage):
            stop()

if stage == "taken":
    answers.require_version = stop
gates = Gates(p95_ms=5000, throughput_rps=1)
serving = module.LocalServing(Path(workspace), Deploy(port=int(port)), gates, Monitor())
run = Run("run", "xgboost", "dataset", Path(bundle), "hash", "2006-04-10T00:00:00+00:00", {}, {})
serving.roll_out(ModelVersion(2, run), At())
"""


@pytest.mark.parametrize("stage", [slow("starting"), slow("proving"), slow("handing over"), "taken"])
def test_a_deployer_killed_at_any_moment_leaves_the_old_one_serving(place: Any, settled: Settled, stage: str) -> None:
    place.serving().roll_out(place.model(1), Silent())
    live = {place.record.pid}
    command = [sys.executable, "-c", DEPLOYER, str(place.workspace), str(place.bundle), str(place.port), stage]
    deployer = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert deployer.stdout
    assert deployer.stdout.readline() == b"there\n"
    deployer.kill()
    deployer.wait()
    deployer.stdout.close()
    settled(lambda: place.servers == live)
    assert place.version == 1
    assert place.serving().roll_out(place.model(2), Silent()).version == 2
    assert place.version == 2


@pytest.mark.slow
def test_a_leftover_of_a_killed_deploy_is_ended_by_the_next(place: Any, settled: Settled) -> None:
    place.serving().roll_out(place.model(1), Silent())
    (place.workspace / "serving" / "endpoint.json").unlink()  # as if another server, of no record, were still there
    stray = place.servers
    place.port = place.free_port()
    place.serving().roll_out(place.model(2), Silent())
    settled(lambda: place.servers == {place.record.pid})
    assert not stray & place.servers


def test_a_killed_server_is_unreachable_and_the_next_deploy_heals_it(place: Any) -> None:
    place.serving().roll_out(place.model(1), Silent())
    place.kill(place.record.pid)
    endpoint = place.serving().endpoint()
    assert endpoint
    assert (endpoint.state, endpoint.version) == ("unreachable", 1)
    assert "gone" in endpoint.detail["why"]
    assert place.serving().roll_out(place.model(1), Silent()).state == "ready"
    assert place.version == 1


@pytest.mark.slow
def test_a_server_that_hangs_is_unreachable_and_the_next_deploy_replaces_it(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "PATIENCE_S", 0.5)
    place.serving().roll_out(place.model(1), Silent())
    os.kill(place.record.pid, signal.SIGSTOP)
    endpoint = place.serving().endpoint()
    assert endpoint
    assert endpoint.state == "unreachable"
    monkeypatch.undo()
    assert place.serving().roll_out(place.model(2), Silent()).state == "ready"
    assert place.version == 2


def test_a_pid_that_now_belongs_to_someone_else_is_neither_trusted_nor_harmed(place: Any) -> None:
    place.serving().roll_out(place.model(1), Silent())
    real = place.record.pid
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    path = place.workspace / "serving" / "endpoint.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "pid": stranger.pid}))
    endpoint = place.serving().endpoint()
    assert endpoint
    assert endpoint.state == "unreachable"
    place.kill(real)
    place.serving().roll_out(place.model(2), Silent())
    place.serving().remove()
    assert stranger.poll() is None
    stranger.communicate()


def test_a_port_taken_by_a_stranger_is_named_with_its_owner(place: Any) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", place.port))
        stranger.listen()
        with pytest.raises(TargetFailed) as caught:
            place.serving().roll_out(place.model(1), Silent())
    assert f"Port {place.port}" in caught.value.what
    assert str(os.getpid()) in caught.value.what
    assert "deploy.port" in caught.value.fix
    assert not place.servers
