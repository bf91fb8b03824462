"""What pods say: each line once, in its order, whatever way their node writes the time."""

from __future__ import annotations

from pathlib import Path

import pytest

from pods import Told
from retailops.batch.voice import Voice
from retailops.errors import GateFailed

STAGE = '{"event": "stage", "text": "working", "total": 3, "unit": "rows"}'


class Node:
    """A log that grows; asked by the second, as kubelets are."""

    def __init__(self, zone: str = "Z") -> None:
        self.zone = zone
        self.lines: list[tuple[str, str]] = []
        self.asked: list[str] = []

    def log(self, pod: str, container: str, since: str = "") -> list[str]:
        self.asked.append(since)
        begin = since.removesuffix(self.zone)
        return [f"{moment}{self.zone} {line}" for moment, line in self.lines if moment[:19] >= begin]


@pytest.mark.parametrize("zone", ["Z", "+08:00"])
def test_each_line_is_passed_on_once(tmp_path: Path, told: Told, zone: str) -> None:
    node, voice = Node(zone), Voice(tmp_path / "log")
    for second in ("01.25", "01.5", "01.500000001", "02"):
        node.lines.append((f"2026-11-26T05:00:{second}", f"line of {second}"))
        voice.pass_on(node, "pod", told)  # type: ignore[arg-type]
        voice.pass_on(node, "pod", told)  # type: ignore[arg-type]
    assert (tmp_path / "log").read_text().splitlines() == [
        "line of 01.25", "line of 01.5", "line of 01.500000001", "line of 02",
    ]  # fmt: skip
    assert node.asked[-1] == f"2026-11-26T05:00:02{zone}"


def test_lines_of_one_moment_are_told_apart_by_their_number(tmp_path: Path, told: Told) -> None:
    node, voice = Node(), Voice(tmp_path / "log")
    for line in ("twice", "twice", "once", "twice"):
        node.lines.append(("2026-11-26T05:00:01.5", line))
        voice.pass_on(node, "pod", told)  # type: ignore[arg-type]
    assert (tmp_path / "log").read_text().split() == ["twice", "twice", "once", "twice"]


def test_events_are_progress_and_the_rest_is_the_log(tmp_path: Path, told: Told) -> None:
    node, voice = Node(), Voice(tmp_path / "log")
    error = '{"event": "error", "code": 4, "what": "Too many.", "fix": "Look.", "details": {"rows": 7}}'
    said = [STAGE, '{"event": "advance", "done": 2}', "a library prints", '{"a": "library\'s JSON"}', error]
    node.lines = [(f"2026-11-26T05:00:0{number}.1", line) for number, line in enumerate(said)]
    voice.pass_on(node, "pod", told)  # type: ignore[arg-type]
    assert told.stages == ["working"] and told.done == [2]
    assert (tmp_path / "log").read_text().splitlines() == [said[2], said[3]] == voice.last_words()
    assert isinstance(voice.error, GateFailed) and voice.error.details == {"rows": 7}
