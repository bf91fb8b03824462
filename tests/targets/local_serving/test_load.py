"""Visitors who ask all the time don't notice a deploy."""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from pathlib import Path
from typing import Any, Self

import pytest

from retailops.errors import TargetFailed
from retailops.progress import Silent
from retailops.targets.local import answers
from retailops.targets.local.endpoint import Record


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


@pytest.mark.slow
def test_no_request_fails_over_ten_swaps_under_load(place: Any) -> None:
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
def test_no_request_fails_while_deploys_fail(place: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place.serving().roll_out(place.model(1), Silent())
    broken = place.corrupted(tmp_path)
    give_up = re.compile("gives up")

    def fail(record: Record) -> None:
        raise TargetFailed(f"version {record.version} gives up", "nothing to do")

    with Visitors(place) as visitors:
        with pytest.raises(TargetFailed):
            place.serving().roll_out(place.model(2, broken), Silent())
        monkeypatch.setattr(answers, "require_version", fail)
        for version in (3, 4):
            with pytest.raises(TargetFailed, match=give_up):
                place.serving().roll_out(place.model(version), Silent())
    assert visitors.failed == []
    assert visitors.versions[-1] == 1
