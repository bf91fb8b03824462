"""The prediction log: whole lines, days, retention, and a disk that doesn't keep up."""

from __future__ import annotations

import fcntl
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from retailops.retail.predictor import Prediction, Scored
from retailops.serving.journal import Journal
from retailops.serving.metrics import Metrics

SCORED = Scored(Prediction("1", "MM", "Medium", {"la": 0.1, "mm": 0.8, "um": 0.1}, 1.0, 3), [1.0, 2.5])


@pytest.fixture
def metrics() -> Metrics:
    return Metrics({})


@pytest.fixture
def journal(tmp_path: Path, metrics: Metrics) -> Iterator[Journal]:
    opened = Journal(tmp_path, 3, 14, metrics)
    yield opened
    opened.close()


def today(folder: Path) -> Path:
    return folder / f"predictions-{datetime.now(UTC):%Y%m%d}.jsonl"


def test_many_predictions_become_as_many_lines_in_order(tmp_path: Path, journal: Journal) -> None:
    for number in range(1000):
        journal.predicted(SCORED, number / 1000)
    journal.close()
    lines = [json.loads(line) for path in sorted(tmp_path.iterdir()) for line in path.read_text().splitlines()]
    assert [line["latency_ms"] for line in lines] == [float(number) for number in range(1000)]
    assert all(line["features"] == [1.0, 2.5] for line in lines)


def test_half_a_line_of_a_killed_server_stays_alone(tmp_path: Path, journal: Journal) -> None:
    today(tmp_path).write_text('{"time": "2006-04')
    journal.predicted(SCORED, 0.001)
    journal.close()
    half, whole = today(tmp_path).read_text().splitlines()
    assert half == '{"time": "2006-04'
    assert json.loads(whole)["basket_id"] == "1"


def test_two_servers_append_to_one_file(tmp_path: Path, metrics: Metrics, journal: Journal) -> None:
    other = Journal(tmp_path, 4, 14, metrics)
    for _ in range(500):
        journal.predicted(SCORED, 0.001)
        other.predicted(SCORED, 0.001)
    journal.close()
    other.close()
    versions = [json.loads(line)["version"] for line in today(tmp_path).read_text().splitlines()]
    assert sorted(versions) == [3] * 500 + [4] * 500


def test_another_servers_unfinished_write_is_not_taken_for_half_a_line(tmp_path: Path, journal: Journal) -> None:
    with today(tmp_path).open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        other.write('{"version":')
        other.flush()
        journal.predicted(SCORED, 0.001)
        closing = threading.Thread(target=journal.close)
        closing.start()
        closing.join(timeout=0.5)
        assert closing.is_alive()  # it waits for the other server, and doesn't write into its line
        other.write(" 4}\n")
        other.flush()
        fcntl.flock(other, fcntl.LOCK_UN)
        closing.join(timeout=10)
    lines = today(tmp_path).read_text().splitlines()
    assert [json.loads(line)["version"] for line in lines] == [4, 3]


def test_files_past_their_retention_are_removed(tmp_path: Path, metrics: Metrics) -> None:
    now = datetime.now(UTC)
    for days in (1, 13, 14, 15, 400):
        (tmp_path / f"predictions-{now - timedelta(days=days):%Y%m%d}.jsonl").write_text("{}\n")
    (tmp_path / "something-else.jsonl").write_text("{}\n")
    journal = Journal(tmp_path, 3, 14, metrics)
    journal.predicted(SCORED, 0.001)
    journal.close()
    kept = {path.name for path in tmp_path.iterdir()}
    ages = (0, 1, 13, 14)
    assert kept == {
        "something-else.jsonl",
        *(f"predictions-{now - timedelta(days=each):%Y%m%d}.jsonl" for each in ages),
    }


def test_a_disk_that_cant_be_written_loses_lines_and_counts_them(tmp_path: Path, metrics: Metrics) -> None:
    journal = Journal(tmp_path, 3, 14, metrics)
    today(tmp_path).mkdir()  # no file can be opened there
    for _ in range(300):
        journal.predicted(SCORED, 0.001)
    journal.close()
    assert metrics.dropped == 300


def test_a_queue_that_is_full_drops_and_counts_instead_of_growing(
    tmp_path: Path, metrics: Metrics, monkeypatch: pytest.MonkeyPatch, wait: Callable[[Callable[[], bool]], None]
) -> None:
    monkeypatch.setattr("retailops.serving.journal._WAITING", 2)
    journal = Journal(tmp_path, 3, 14, metrics)
    today(tmp_path).mkdir()
    for _ in range(200_000):
        journal.predicted(SCORED, 0.001)
        if metrics.dropped:
            break
    journal.close()
    assert metrics.dropped


def test_nothing_predicted_makes_no_file(tmp_path: Path, journal: Journal) -> None:
    journal.flush()
    journal.close()
    assert not list(tmp_path.iterdir())
