"""What tests of jobs on a cluster share: a worker that is a toy, and a pod's own end of it without a cluster."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from retailops.ports import Image, ModelVersion

TOY = Path(__file__).parent / "batch" / "retailops_toy_etl.py"
TOKEN = "a token"


class Told:
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.notes: list[str] = []
        self.done: list[int] = []

    def stage(self, text: str, total: int | None = None, unit: str = "") -> None:
        self.stages.append(text)

    def advance(self, done: int, doing: str = "") -> None:
        self.done.append(done)

    def note(self, text: str) -> None:
        self.notes.append(text)


class OneImage:
    """A registry in which one image of jobs lies."""

    def __init__(self, reference: str) -> None:
        self.reference = reference

    def find(self, model: ModelVersion | None) -> Image | None:
        return Image(self.reference, "worker", 0) if self.reference else None


class HostSpace:
    """A pod's HTTP side without a cluster: what is asked of any pod is asked of one server on this machine."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.broken = 0  # answers that get lost on their way

    def say(
        self, pod: str, port: int, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request(method, f"/{path.replace(' ', '%20')}", body, dict(headers))
            answer = connection.getresponse()
            status, found = answer.status, answer.read()
        except OSError:
            return 503, b""
        finally:
            connection.close()
        if self.broken > 0:
            self.broken -= 1
            return 502, b""
        return status, found


class Box:
    """The very process that a pod runs, on this machine."""

    def __init__(self, folder: Path, *words: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        folder.mkdir(parents=True)
        (folder / "token").write_text(TOKEN)
        self.data, self.space = folder / "data", HostSpace(port)
        command = [sys.executable, "-P", "-m", "retailops.batch.box", "etl", f"--token={folder / 'token'}"]
        command += [f"--data={self.data}", "--host=127.0.0.1", f"--port={port}", *words]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self.data.mkdir()
        self.until(lambda: self.ask("GET", "state")[0] == 200)

    def ask(
        self, method: str, path: str, body: bytes | None = None, token: str = TOKEN, **more: str
    ) -> tuple[int, Any]:
        headers = {"X-Token": token, **{name.replace("_", "-"): value for name, value in more.items()}}
        status, found = self.space.say("pod", 0, method, path, body, headers)
        try:
            return status, json.loads(found)
        except ValueError:
            return status, found

    def until(self, condition: Callable[[], object], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.05)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def toy(act: str) -> str:
    """The box's argument for a worker that does this."""
    return f"--worker={json.dumps([sys.executable, '-P', str(TOY), act])}"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
