"""A workspace with a bundle to serve, and what may befall it."""

from __future__ import annotations

import errno
import http.client
import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil
import pytest

from retailops.config.sections import Deploy, Gates, Monitor
from retailops.ports import ModelVersion, Run
from retailops.progress import Silent
from retailops.targets.local.endpoint import Record
from retailops.targets.local.processes import servers_of
from retailops.targets.local.serving import LocalServing


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


class Visitors:
    """Clients that ask all the time, over connections that live long and over new ones."""

    def __init__(self, place: Any) -> None:
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


@dataclass
class Place:
    """A workspace with a bundle to serve."""

    workspace: Path
    bundle: Path
    port: int
    gates: Gates = field(default_factory=lambda: Gates(p95_ms=5000, throughput_rps=1))

    def serving(self, **deploy: Any) -> LocalServing:
        settings = Deploy().model_copy(update={"port": self.port, **deploy})
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
    def processes(self) -> list[psutil.Process]:
        return servers_of(self.workspace / "serving")

    @property
    def servers(self) -> set[int]:
        return {process.pid for process in self.processes}

    def kill(self, pid: int) -> None:
        """Kill -9, and wait until it is dead."""
        process = psutil.Process(pid)
        process.kill()
        process.wait(timeout=20)

    def corrupted(self, folder: Path) -> Path:
        """A copy of the bundle with one bit changed."""
        copy = folder / "corrupted"
        shutil.copytree(self.bundle, copy)
        model = copy / "model.onnx"
        content = bytearray(model.read_bytes())
        content[len(content) // 3] ^= 1
        model.write_bytes(content)
        return copy

    def refuses(self, port: int) -> bool:
        """Whether nobody listens on the port."""
        with socket.socket() as sock:
            sock.settimeout(5)
            return sock.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED

    def free_port(self) -> int:
        return free_port()

    def visitors(self) -> Visitors:
        return Visitors(self)

    def at(self, beginning: str, act: Callable[[], None]) -> At:
        return At(beginning, act)


@pytest.fixture
def place(tmp_path: Path, bundle_folder: Path) -> Iterator[Place]:
    made = Place(tmp_path.resolve() / "workspace", bundle_folder, free_port())
    yield made
    made.serving().remove()
    assert not made.servers


@pytest.fixture
def other_bundle(trained: Any) -> Path:
    """Another algorithm's bundle of the same training: whole, and not the same."""
    folder: Path = trained.folder / "decision_tree"
    return folder
