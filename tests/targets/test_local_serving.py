"""The local endpoint: rolling over, healing, and what may happen in between, with real processes and requests."""

from __future__ import annotations

import errno
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil
import pytest

from retailops.config.sections import Deploy, Gates, Monitor
from retailops.errors import GateFailed, NotReady, TargetFailed
from retailops.ports import ModelVersion, Run
from retailops.progress import Silent
from retailops.targets.local import serving as module
from retailops.targets.local.endpoint import Record
from retailops.targets.local.processes import servers_of
from retailops.targets.local.serving import LocalServing

Settled = Callable[[Callable[[], bool]], None]


def slow(value: str) -> Any:
    return pytest.param(value, marks=pytest.mark.slow)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class At(Silent):
    """A progress that does something when a stage begins."""

    def __init__(self, beginning: str, act: Callable[[], None]) -> None:
        self._beginning = beginning
        self._act = act

    def stage(self, text: str, total: int | None = None, unit: str = "") -> None:
        if text.startswith(self._beginning):
            self._act()


@dataclass
class Place:
    """A workspace with a bundle to serve."""

    workspace: Path
    bundle: Path
    port: int
    gates: Gates = field(default_factory=lambda: Gates(p95_ms=5000, throughput_rps=1))

    def serving(self, **deploy: Any) -> LocalServing:
        settings = Deploy.model_construct(**{**Deploy().model_dump(), "port": self.port, **deploy})
        return LocalServing(self.workspace, settings, self.gates, Monitor())

    def model(self, version: int, bundle: Path | None = None) -> ModelVersion:
        run = Run("run", "xgboost", "dataset", bundle or self.bundle, "hash", "2006-04-10T00:00:00+00:00", {}, {})
        return ModelVersion(version, run)

    def ask(self, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """A prediction over the public port."""
        basket = body or json.loads((self.bundle / "golden.json").read_text())[0]["basket"]
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("POST", "/predict", json.dumps(basket), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        found: dict[str, Any] = json.loads(answer.read())
        connection.close()
        assert answer.status == 200, found
        return found

    @property
    def version(self) -> int:
        version: int = self.ask()["model_version"]
        return version

    @property
    def record(self) -> Record:
        record = Record.read(self.workspace / "serving")
        assert record
        return record

    @property
    def servers(self) -> set[int]:
        return {process.pid for process in servers_of(self.workspace / "serving")}


@pytest.fixture
def place(tmp_path: Path, bundle_folder: Path) -> Iterator[Place]:
    made = Place(tmp_path.resolve() / "workspace", bundle_folder, free_port())
    yield made
    made.serving().remove()
    assert not made.servers


def kill(pid: int) -> None:
    """Kill -9, and wait until it is dead."""
    process = psutil.Process(pid)
    process.kill()
    process.wait(timeout=20)


def corrupted(bundle: Path, folder: Path) -> Path:
    copy = folder / "corrupted"
    shutil.copytree(bundle, copy)
    model = copy / "model.onnx"
    content = bytearray(model.read_bytes())
    content[len(content) // 3] ^= 1
    model.write_bytes(content)
    return copy


def test_nothing_is_deployed_at_first(place: Place) -> None:
    serving = place.serving()
    assert serving.endpoint() is None
    assert serving.removals() == []
    with pytest.raises(NotReady, match="Nothing is deployed"):
        list(serving.logs(10, follow=False))


def test_a_version_goes_live_and_the_next_replaces_it(place: Place, settled: Settled) -> None:
    serving = place.serving()
    first = serving.roll_out(place.model(1), Silent())
    assert (first.version, first.state, first.url) == (1, "ready", f"http://127.0.0.1:{place.port}")
    assert place.version == 1
    old = place.record
    second = serving.roll_out(place.model(2), Silent())
    assert (second.version, second.state) == (2, "ready")
    assert place.version == 2
    settled(lambda: place.servers == {place.record.pid})
    settled(lambda: not old.alive)


def test_the_endpoint_tells_what_was_proved(place: Place) -> None:
    detail = place.serving().roll_out(place.model(1), Silent()).detail
    assert detail["algorithm"] == json.loads((place.bundle / "card.json").read_text())["algorithm"]
    assert detail["p95_ms"] > 0
    assert detail["requests_per_s"] > 0


def test_proving_leaves_no_trace_in_log_and_metrics(place: Place) -> None:
    place.serving().roll_out(place.model(1), Silent())
    place.serving().roll_out(place.model(1), Silent())
    place.ask()
    connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=20)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    assert 'retailops_requests_total{route="/predict",status="200"} 1\n' in text
    place.serving().remove()
    (log,) = (place.workspace / "serving" / "logs").glob("predictions-*.jsonl")
    assert len(log.read_text().splitlines()) == 1


def test_the_version_that_is_live_is_proved_again_and_kept(place: Place) -> None:
    place.serving().roll_out(place.model(1), Silent())
    pid = place.record.pid
    assert place.serving().roll_out(place.model(1), Silent()).version == 1
    assert place.record.pid == pid


@pytest.mark.slow
def test_changed_limits_need_a_new_process(place: Place) -> None:
    place.serving().roll_out(place.model(1), Silent())
    pid = place.record.pid
    place.serving(max_lines=77).roll_out(place.model(1), Silent())
    assert place.record.pid != pid


def refuses(port: int) -> bool:
    with socket.socket() as sock:
        sock.settimeout(5)
        return sock.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


def test_the_endpoint_can_move_to_another_port(place: Place, settled: Settled) -> None:
    place.serving().roll_out(place.model(1), Silent())
    old, place.port = place.port, free_port()
    place.serving().roll_out(place.model(1), Silent())
    assert place.version == 1
    settled(lambda: refuses(old))


def test_port_0_becomes_a_port_and_stays_it(place: Place) -> None:
    first = place.serving(port=0).roll_out(place.model(1), Silent())
    assert place.serving(port=0).roll_out(place.model(2), Silent()).url == first.url
    place.port = place.record.port
    kill(place.record.pid)
    assert place.serving(port=0).roll_out(place.model(3), Silent()).url == first.url
    assert place.version == 3


def test_a_bundle_with_one_byte_changed_is_refused_and_the_old_one_serves_on(place: Place, tmp_path: Path) -> None:
    place.serving().roll_out(place.model(1), Silent())
    with pytest.raises(TargetFailed, match=r"model\.onnx"):
        place.serving().roll_out(place.model(2, corrupted(place.bundle, tmp_path)), Silent())
    assert place.version == 1
    assert place.servers == {place.record.pid}


def test_the_server_itself_refuses_a_bundle_that_changes_after_the_deployers_look(place: Place, tmp_path: Path) -> None:
    place.serving().roll_out(place.model(1), Silent())
    copy = tmp_path / "copy"
    shutil.copytree(place.bundle, copy)
    change = At("starting", lambda: (copy / "encoder.json").write_text("{}") and None)
    with pytest.raises(TargetFailed, match=r"encoder\.json"):
        place.serving().roll_out(place.model(2, copy), change)
    assert place.version == 1
    assert place.servers == {place.record.pid}


@pytest.mark.parametrize(
    ("gates", "word"),
    [(Gates(p95_ms=0.001, throughput_rps=0), "P95"), (Gates(p95_ms=5000, throughput_rps=9_999_999), "throughput_rps")],
)
def test_a_server_below_its_gates_doesnt_go_live(place: Place, gates: Gates, word: str) -> None:
    place.serving().roll_out(place.model(1), Silent())
    place.gates = gates
    with pytest.raises(GateFailed, match=word):
        place.serving().roll_out(place.model(2), Silent())
    assert place.version == 1
    assert place.servers == {place.record.pid}


def test_a_candidate_that_dies_is_reported_and_the_old_one_serves_on(place: Place) -> None:
    place.serving().roll_out(place.model(1), Silent())

    def kill_candidate() -> None:
        for pid in place.servers - {place.record.pid}:
            kill(pid)

    with pytest.raises(TargetFailed, match=r"doesn't answer|SIGKILL"):
        place.serving().roll_out(place.model(2), At("proving", kill_candidate))
    assert place.version == 1
    assert place.servers == {place.record.pid}


def test_a_candidate_that_dies_while_starting_shows_its_last_words(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = LocalServing._arguments
    monkeypatch.setattr(LocalServing, "_arguments", lambda self, model: [*arguments(self, model), "--nonsense"])
    with pytest.raises(TargetFailed, match=r"(?s)exited with 2.*unrecognized arguments: --nonsense"):
        place.serving().roll_out(place.model(1), Silent())
    assert place.serving().endpoint() is None


def test_a_candidate_that_dies_after_taking_the_port_gives_it_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.serving().roll_out(place.model(1), Silent())
    monkeypatch.setattr(module, "_require_version", lambda record: kill(record.pid))
    with pytest.raises(TargetFailed):
        place.serving().roll_out(place.model(2), Silent())
    assert place.version == 1
    assert place.servers == {place.record.pid}


@pytest.mark.parametrize("stage", [slow("checking"), slow("starting"), slow("proving"), "handing over"])
def test_an_interrupted_deploy_leaves_the_old_one_serving(place: Place, stage: str) -> None:
    place.serving().roll_out(place.model(1), Silent())

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.serving().roll_out(place.model(2), At(stage, interrupt))
    assert place.version == 1
    assert place.servers == {place.record.pid}
    assert place.serving().roll_out(place.model(2), Silent()).version == 2


DEPLOYER = """
import signal, sys
from pathlib import Path
from retailops.config.sections import Deploy, Gates, Monitor
from retailops.ports import ModelVersion, Run
from retailops.progress import Silent
from retailops.targets.local import serving as module

workspace, bundle, port, stage = sys.argv[1:]

def stop(*_):
    print("there", flush=True)
    signal.pause()

class At(Silent):
    def stage(self, text, total=None, unit=""):
        if text.startswith(stage):
            stop()

if stage == "taken":
    module._require_version = stop
gates = Gates(p95_ms=5000, throughput_rps=1)
serving = module.LocalServing(Path(workspace), Deploy(port=int(port)), gates, Monitor())
run = Run("run", "xgboost", "dataset", Path(bundle), "hash", "2006-04-10T00:00:00+00:00", {}, {})
serving.roll_out(ModelVersion(2, run), At())
"""


@pytest.mark.parametrize("stage", [slow("starting"), slow("proving"), slow("handing over"), "taken"])
def test_a_deployer_killed_at_any_moment_leaves_the_old_one_serving(place: Place, settled: Settled, stage: str) -> None:
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
def test_a_leftover_of_a_killed_deploy_is_ended_by_the_next(place: Place, settled: Settled) -> None:
    place.serving().roll_out(place.model(1), Silent())
    (place.workspace / "serving" / "endpoint.json").unlink()  # as if another server, of no record, were still there
    stray = place.servers
    place.port = free_port()
    place.serving().roll_out(place.model(2), Silent())
    settled(lambda: place.servers == {place.record.pid})
    assert not stray & place.servers


def test_a_killed_server_is_unreachable_and_the_next_deploy_heals_it(place: Place) -> None:
    place.serving().roll_out(place.model(1), Silent())
    kill(place.record.pid)
    endpoint = place.serving().endpoint()
    assert endpoint
    assert (endpoint.state, endpoint.version) == ("unreachable", 1)
    assert "gone" in endpoint.detail["why"]
    assert place.serving().roll_out(place.model(1), Silent()).state == "ready"
    assert place.version == 1


@pytest.mark.slow
def test_a_server_that_hangs_is_unreachable_and_the_next_deploy_replaces_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ASK_S", 0.5)
    place.serving().roll_out(place.model(1), Silent())
    os.kill(place.record.pid, signal.SIGSTOP)
    endpoint = place.serving().endpoint()
    assert endpoint
    assert endpoint.state == "unreachable"
    monkeypatch.undo()
    assert place.serving().roll_out(place.model(2), Silent()).state == "ready"
    assert place.version == 2


def test_a_pid_that_now_belongs_to_someone_else_is_neither_trusted_nor_harmed(place: Place) -> None:
    place.serving().roll_out(place.model(1), Silent())
    real = place.record.pid
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    path = place.workspace / "serving" / "endpoint.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "pid": stranger.pid}))
    endpoint = place.serving().endpoint()
    assert endpoint
    assert endpoint.state == "unreachable"
    kill(real)
    place.serving().roll_out(place.model(2), Silent())
    place.serving().remove()
    assert stranger.poll() is None
    stranger.communicate()


def test_a_port_taken_by_a_stranger_is_named_with_its_owner(place: Place) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", place.port))
        stranger.listen()
        with pytest.raises(TargetFailed) as caught:
            place.serving().roll_out(place.model(1), Silent())
    assert f"Port {place.port}" in caught.value.what
    assert str(os.getpid()) in caught.value.what
    assert "deploy.port" in caught.value.fix
    assert not place.servers


def test_a_second_deploy_at_the_same_time_is_told_who_is_first(place: Place) -> None:
    told: list[str] = []

    def second() -> None:
        with pytest.raises(NotReady) as caught:
            place.serving().roll_out(place.model(2), Silent())
        told.append(caught.value.what)

    place.serving().roll_out(place.model(1), At("proving", second))
    assert "deploy of version 1" in told[0]
    assert place.version == 1


def test_logs_give_the_last_lines_and_follow(place: Place) -> None:
    place.serving().roll_out(place.model(1), Silent())
    (last,) = place.serving().logs(1, follow=False)
    assert "Model version 1 serves" in last
    os.kill(place.record.pid, signal.SIGTERM)
    assert any("has left" in line for line in place.serving().logs(0, follow=True))


def test_removal_lists_and_ends_the_processes_and_twice_is_harmless(place: Place) -> None:
    serving = place.serving()
    serving.roll_out(place.model(1), Silent())
    (change,) = serving.removals()
    assert (change.action, change.kind, change.name) == ("delete", "process", "server of version 1")
    assert change.detail == f"process {place.record.pid}"
    assert [left.action for left in serving.left()] == ["left"]
    for _ in range(2):
        serving.remove()
        assert serving.left() == []
        assert serving.removals() == []
        assert serving.endpoint() is None
    assert refuses(place.port)


def test_what_is_left_is_seen_without_our_records(place: Place) -> None:
    serving = place.serving()
    serving.roll_out(place.model(1), Silent())
    pid = place.record.pid
    (place.workspace / "serving" / "endpoint.json").unlink()
    assert [change.detail for change in serving.left()] == [f"process {pid}"]
    serving.remove()
    assert serving.left() == []


@pytest.mark.slow
def test_a_workspace_with_a_long_path_works_too(place: Place) -> None:
    place.workspace = place.workspace / ("long-" * 40)  # longer than the path of a unix socket may be
    place.workspace.mkdir(parents=True)
    try:
        place.serving().roll_out(place.model(1), Silent())
        place.serving().roll_out(place.model(2), Silent())
        assert place.version == 2
    finally:
        place.serving().remove()


class Visitors:
    """Clients that ask all the time, over connections that live long and over new ones."""

    def __init__(self, place: Place) -> None:
        self.failed: list[str] = []
        self.versions: list[int] = []
        self._body = json.dumps(json.loads((place.bundle / "golden.json").read_text())[0]["basket"])
        self._port = place.port
        self._stop = threading.Event()
        kept = [threading.Thread(target=self._visit, args=(True,)) for _ in range(3)]
        self._threads = [*kept, threading.Thread(target=self._visit, args=(False,))]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=30)

    def _visit(self, keeps_alive: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        while not self._stop.is_set():
            try:
                connection.request("POST", "/predict", self._body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                body = json.loads(answer.read())
                if answer.status != 200:
                    self.failed.append(f"{answer.status} {body}")
                self.versions.append(body["model_version"])
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(repr(error))
                connection.close()
            if not keeps_alive:
                connection.close()
        connection.close()


@pytest.mark.slow
def test_no_request_fails_over_ten_swaps_under_load(place: Place) -> None:
    place.serving().roll_out(place.model(1), Silent())
    with Visitors(place) as visitors:
        for version in range(2, 12):
            place.serving().roll_out(place.model(version), Silent())
        seen = len(visitors.versions)
        deadline = time.monotonic() + 30
        while len(visitors.versions) < seen + 100 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert visitors.failed == []
    assert set(visitors.versions) == set(range(1, 12))
    assert visitors.versions[-1] == 11


@pytest.mark.slow
def test_no_request_fails_while_deploys_fail(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place.serving().roll_out(place.model(1), Silent())
    broken = corrupted(place.bundle, tmp_path)
    give_up = re.compile("gives up")

    def fail(record: Record) -> None:
        raise TargetFailed(f"version {record.version} gives up", "nothing to do")

    with Visitors(place) as visitors:
        with pytest.raises(TargetFailed):
            place.serving().roll_out(place.model(2, broken), Silent())
        monkeypatch.setattr(module, "_require_version", fail)
        for version in (3, 4):
            with pytest.raises(TargetFailed, match=give_up):
                place.serving().roll_out(place.model(version), Silent())
    assert visitors.failed == []
    assert visitors.versions[-1] == 1
