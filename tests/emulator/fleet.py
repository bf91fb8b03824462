"""The machines of one endpoint configuration: a real server process in the place of as many containers as it has."""

from __future__ import annotations

import contextlib
import http.client
import re
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.server import Emulator

_SERVE = Path(__file__).parents[2] / "templates" / "docker" / "serve"  # what the image runs on the word `serve`
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Image:
    """What an image holds, for the emulator that has no registry of layers."""

    bundle: Path
    version: int = 1  # that it was built for


class Fleet:
    """Started as SageMaker starts a container: `serve` alone, and the environment of the model.

    The container's paths and its address are this machine's: /bundle is the folder of the image's bundle, port 8080 a
    free one. Nothing of this process' own environment is handed on, credentials least of all.
    """

    def __init__(
        self, aws: Emulator, endpoint: str, config: str, image: Image, environment: Mapping[str, str], folder: Path
    ) -> None:
        self.config = config
        self.port = 0
        self._logs = aws.client("logs")
        self._group = f"/aws/sagemaker/Endpoints/{endpoint}"
        self._stream = f"live/i-{config[-8:]}{time.monotonic_ns():x}"
        place = f"--bundle={image.bundle} --log-folder={folder / self._stream}"
        here = f"{place} --host=127.0.0.1 --port=0 --drain-s=0"
        told = {**environment, "SERVING_ARGUMENTS": f"{environment.get('SERVING_ARGUMENTS', '')} {here}"}
        self._process = subprocess.Popen(
            ["/bin/sh", str(_SERVE)],
            env={
                "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
                "MODEL_VERSION": str(image.version),
                "SAGEMAKER_REGION": aws.region,
                **told,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def ready(self) -> bool:
        """Whether /ping was answered with 200 in time."""
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline and self._process.poll() is None:
            if self.port:
                with contextlib.suppress(OSError):
                    if self._ask("GET", "/ping", b"", {})[0] == 200:
                        return True
            time.sleep(0.01)
        return False

    def invoke(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        return self._ask("POST", "/invocations", body, headers)

    def end(self) -> None:
        """SIGTERM, and a kill for who doesn't mind it."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(10)

    def _ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body or None, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _read(self) -> None:
        """Its words go where SageMaker takes them."""
        logs: Any = self._logs
        with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_group(logGroupName=self._group)
        logs.create_log_stream(logGroupName=self._group, logStreamName=self._stream)
        assert self._process.stdout
        for line in self._process.stdout:
            text = line.decode(errors="replace").rstrip()
            if found := re.search(r"serves on 127\.0\.0\.1 port (\d+)", text):
                self.port = int(found.group(1))
            if text:
                event = {"timestamp": int(time.time() * 1000), "message": text}
                with contextlib.suppress(logs.exceptions.ResourceNotFoundException):  # a teardown took the group
                    logs.put_log_events(logGroupName=self._group, logStreamName=self._stream, logEvents=[event])
        self._process.stdout.close()
