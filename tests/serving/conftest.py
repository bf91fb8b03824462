"""Real server processes on free ports, spoken to over real sockets."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

Wait = Callable[[Callable[[], bool]], None]


@dataclass
class Running:
    """One server process."""

    process: subprocess.Popen[bytes]
    url: str
    logs: Path
    client: httpx.Client

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.url.removeprefix("http://").split(":")
        return host, int(port)

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=10)

    def logged(self) -> list[dict[str, Any]]:
        """The lines of the prediction log so far."""
        return [
            json.loads(line)
            for path in sorted(self.logs.glob("predictions-*.jsonl"))
            for line in path.read_text().splitlines()
        ]

    def metric(self, name: str) -> float:
        """The value of one line of /metrics, labels included in the name."""
        text = self.client.get("/metrics").text
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        assert found, f"{name} isn't in:\n{text}"
        return float(found.group(1))


@pytest.fixture(scope="session")
def wait() -> Wait:
    def until(true: Callable[[], bool], seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.01)

    return until


@pytest.fixture(scope="session")
def start(
    bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory, wait: Wait
) -> Iterator[Callable[..., Running]]:
    """Starts a server with further options; all of them are ended with the session."""
    started: list[subprocess.Popen[bytes]] = []
    clients: list[httpx.Client] = []

    def run(*options: str, bundle: Path = bundle_folder) -> Running:
        folder = tmp_path_factory.mktemp("server")
        command = [sys.executable, "-m", "retailops.serving", "--bundle", str(bundle), "--version", "7", "--port", "0"]
        with (folder / "out").open("wb") as output:
            process = subprocess.Popen([*command, "--log-folder", str(folder), *options], stdout=output, stderr=output)
        started.append(process)

        def port() -> list[str]:
            return re.findall(r"serves on 127\.0\.0\.1 port (\d+)", (folder / "out").read_text())

        wait(lambda: bool(port()) or process.poll() is not None)
        assert port(), (folder / "out").read_text()
        url = f"http://127.0.0.1:{port()[0]}"
        clients.append(httpx.Client(base_url=url, timeout=20, verify=False))
        return Running(process, url, folder, clients[-1])

    yield run
    for client in clients:
        client.close()
    for process in started:
        process.send_signal(signal.SIGINT)
    for process in started:
        process.wait(timeout=30)


@pytest.fixture(scope="session")
def server(start: Callable[..., Running]) -> Running:
    """A server with small limits, shared by the tests that only ask."""
    limits = ("--max-lines", "50", "--max-baskets", "200", "--max-body-kb", "256", "--body-timeout-s", "0.5")
    limits += ("--header-timeout-s", "0.5")
    return start(*limits)


@pytest.fixture(scope="session")
def golden(bundle_folder: Path) -> list[dict[str, Any]]:
    """The golden rows of the bundle that fit into the shared server's limits."""
    rows: list[dict[str, Any]] = json.loads((bundle_folder / "golden.json").read_text())
    return [row for row in rows if len(row["basket"]["lines"]) <= 50]


@pytest.fixture
def basket(golden: list[dict[str, Any]]) -> dict[str, Any]:
    """A basket that the server takes; tests may change it."""
    copy: dict[str, Any] = json.loads(json.dumps(golden[0]["basket"]))
    return copy
