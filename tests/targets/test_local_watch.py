"""Reading the prediction log back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from retailops.targets.local.watch import LocalWatch

NOW = datetime.now(UTC)


def write(folder: Path, *ages_h: float) -> None:
    """One line each, in the file of the line's own day."""
    folder.mkdir(exist_ok=True)
    for age in ages_h:
        at = datetime.now(UTC) - timedelta(hours=age)
        with (folder / f"predictions-{at:%Y%m%d}.jsonl").open("a") as file:
            file.write(json.dumps({"time": at.isoformat(timespec="milliseconds"), "age": age}) + "\n")


@pytest.fixture
def watch(tmp_path: Path) -> LocalWatch:
    return LocalWatch(tmp_path / "logs")


def test_only_the_last_hours_oldest_first(watch: LocalWatch, tmp_path: Path) -> None:
    write(tmp_path / "logs", 200, 50, 30, 23.9, 2, 1)
    assert [line["age"] for line in watch.predictions(24)] == [23.9, 2, 1]
    assert [line["age"] for line in watch.predictions(60)] == [50, 30, 23.9, 2, 1]
    assert watch.unreadable == 0


def test_lines_of_two_servers_are_put_in_order(watch: LocalWatch, tmp_path: Path) -> None:
    write(tmp_path / "logs", 0.5, 0.3, 0.4, 0.1, 0.2)
    assert [line["age"] for line in watch.predictions(1)] == [0.5, 0.4, 0.3, 0.2, 0.1]


def test_unreadable_lines_are_left_out_and_counted(watch: LocalWatch, tmp_path: Path) -> None:
    write(tmp_path / "logs", 0.2, 0.1)
    with (tmp_path / "logs" / f"predictions-{NOW:%Y%m%d}.jsonl").open("ab") as file:
        file.write(b'[1]\n{"time": 5}\n{"time": "2026-01-01T00:00:00"}\n\xff\n{}\n{"time": "2026-')
    assert [line["age"] for line in watch.predictions(1)] == [0.2, 0.1]
    assert watch.unreadable == 6


def test_a_line_with_z_for_utc_counts(watch: LocalWatch, tmp_path: Path) -> None:
    write(tmp_path / "logs")
    at = NOW - timedelta(minutes=5)
    (tmp_path / "logs" / f"predictions-{at:%Y%m%d}.jsonl").write_text(f'{{"time": "{at:%Y-%m-%dT%H:%M:%S}.000Z"}}\n')
    assert len(list(watch.predictions(1))) == 1
