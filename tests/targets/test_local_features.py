"""The local feature store under bad luck: killed anywhere, locked, damaged, read while it is written."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest
from tests.targets.feature_records import CUSTOMER, STORE, day, visits, write
from tests.targets.retailops_toy_publisher import POINTS

from retailops.errors import TargetFailed
from retailops.progress import Silent
from retailops.targets.local.features import LocalFeatures
from retailops.targets.local.online import Online
from retailops.targets.local.workspace import Workspace

ROOT = Path(__file__).parents[2]
PUBLISHER = Path(__file__).with_name("retailops_toy_publisher.py")


@pytest.fixture
def store(workspace: Workspace) -> LocalFeatures:
    return LocalFeatures(workspace, 1, 300, patience_s=0.05)


@pytest.fixture
def database(workspace: Workspace) -> Path:
    return workspace.folder / "features" / "online.db"


def contents(database: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(database) as connection:
        rows = connection.execute("SELECT * FROM customer ORDER BY cust_code").fetchall()
    connection.close()
    return rows


def slow_but(fast: str) -> list[object]:
    return [each if each == fast else pytest.param(each, marks=pytest.mark.slow) for each in POINTS]


@pytest.mark.parametrize("point", slow_but("in the middle of the switch"))
def test_killed_anywhere_the_old_version_stays_and_another_run_makes_the_new_one_whole(
    point: str, store: LocalFeatures, workspace: Workspace, database: Path, tmp_path: Path
) -> None:
    old, new = visits(3, 2), visits(4, 3)
    store.publish(CUSTOMER, "v1", write(tmp_path / "old.parquet", CUSTOMER, old), Silent())
    path = write(tmp_path / "new.parquet", CUSTOMER, new)
    arguments = [sys.executable, str(PUBLISHER), str(workspace.folder), "v2", str(path), point]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}"}
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (live,) = store.published()
    found = store.online(CUSTOMER, [row[0] for row in new])
    assert (live.version, len(found)) == (("v2", 4) if point == "after the switch" else ("v1", 3))
    again = store.publish(CUSTOMER, "v2", path, Silent())
    assert (again.records, again.written, again.keys) == (12, 12, 4)
    assert contents(database) == [(row[0], "2007-02-28T23:59:59Z", *row[2:]) for row in new[8:]]
    weeks = sorted(each.name for each in (workspace.folder / "features" / "customer" / "v2").iterdir())
    assert weeks == ["publication.json", "week=2007-02-26"]
    assert not list((workspace.folder / "features" / "customer").glob(".*"))


def test_history_lies_in_a_folder_a_week(store: LocalFeatures, workspace: Workspace, tmp_path: Path) -> None:
    store.publish(CUSTOMER, "v1", write(tmp_path / "a.parquet", CUSTOMER, visits(2, 15)), Silent())
    folder = workspace.folder / "features" / "customer" / "v1"
    assert sorted(path.name for path in folder.glob("week=*")) == [
        "week=2007-02-26",
        "week=2007-03-05",
        "week=2007-03-12",
    ]
    counted = duckdb.sql(f"SELECT week, count(*) FROM read_parquet('{folder}/*/*.parquet') GROUP BY 1 ORDER BY 1")
    assert [count for _, count in counted.fetchall()] == [14, 14, 2]


def test_what_is_rejected_can_be_looked_at(store: LocalFeatures, workspace: Workspace, tmp_path: Path) -> None:
    rows = [("S1", day(0), "LS", "E01"), (None, day(0), "LS", "E02")]
    store.publish(STORE, "v1", write(tmp_path / "a.parquet", STORE, rows), Silent())
    rejected = workspace.folder / "features" / "store" / "v1" / "rejected.parquet"
    assert duckdb.sql(f"SELECT store_region, reason FROM '{rejected}'").fetchall() == [("E02", "no_key")]


def test_a_version_of_other_features_than_today_s_is_made_anew(
    store: LocalFeatures, workspace: Workspace, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.parquet", CUSTOMER, visits(1, 1))
    store.publish(CUSTOMER, "v1", path, Silent())
    listing = workspace.folder / "features" / "customer" / "v1" / "publication.json"
    listing.write_text(listing.read_text().replace('"lifestage"', '"age"'))
    assert store.published() == []
    assert not store.publish(CUSTOMER, "v1", path, Silent()).reused
    assert [each.version for each in store.published()] == ["v1"]


@pytest.mark.slow
def test_a_reader_never_sees_a_part_of_a_version(workspace: Workspace, tmp_path: Path) -> None:
    """Each version has its own spend in every record; a read that met two of them would show both."""
    store = LocalFeatures(workspace, 1, 300)  # with the patience that a user has
    paths = [write(tmp_path / f"{n}.parquet", CUSTOMER, visits(400, 1, worth=n + 1)) for n in range(2)]
    store.publish(CUSTOMER, "v0", paths[0], Silent())
    keys = [row[0] for row in visits(400, 1)]
    mixed, seen, ended = [], set(), threading.Event()

    def read() -> None:
        reader = LocalFeatures(workspace, 1, 300)
        while not ended.is_set() or len(seen) < 2:
            found = reader.online(CUSTOMER, keys)
            worth = {record.features["spend_pence"] for record in found.values()}
            seen.update(worth)
            if len(found) != 400 or len(worth) != 1:
                mixed.append((len(found), worth))
                return

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for turn in range(1, 13):
            store.publish(CUSTOMER, f"v{turn % 2}", paths[turn % 2], Silent())
    finally:
        ended.set()
        thread.join(30)
    assert not mixed
    assert seen == {1, 2}


def test_a_lock_is_waited_for_a_little_longer_each_time(store: LocalFeatures, database: Path, tmp_path: Path) -> None:
    store.publish(CUSTOMER, "v1", write(tmp_path / "a.parquet", CUSTOMER, visits(1, 1)), Silent())
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 4:
            other.execute("ROLLBACK")

    assert Online(database, patience_s=5.0, pause=pause).switch(CUSTOMER, "v2", [("C1", "2007-01-01", 1, None, 2)]) == 1
    other.close()
    assert pauses == [0.01, 0.02, 0.04, 0.08]
    assert store._online.live()["customer"][0] == "v2"


def test_a_lock_that_stays_is_told_and_nothing_has_changed(
    store: LocalFeatures, database: Path, tmp_path: Path
) -> None:
    store.publish(CUSTOMER, "v1", write(tmp_path / "a.parquet", CUSTOMER, visits(1, 1)), Silent())
    path = write(tmp_path / "b.parquet", CUSTOMER, visits(1, 2))
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TargetFailed, match="locked") as refused:
        store.publish(CUSTOMER, "v2", path, Silent())
    assert "online.db" in refused.value.what
    assert [each.version for each in store.published()] == ["v1"], "readers go on while it is locked"
    other.execute("ROLLBACK")
    other.close()
    assert store.publish(CUSTOMER, "v2", path, Silent()).version == "v2"


def test_a_damaged_online_file_is_named_and_can_simply_be_removed(
    store: LocalFeatures, database: Path, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.parquet", CUSTOMER, visits(2, 1))
    store.publish(CUSTOMER, "v1", path, Silent())
    database.write_bytes(b"not a database, but long enough to be taken for one at first sight" * 20)
    with pytest.raises(TargetFailed, match=r"online\.db") as refused:
        store.online(CUSTOMER, ["C1"])
    assert "removed" in refused.value.fix
    database.unlink()
    assert store.publish(CUSTOMER, "v1", path, Silent()).keys == 2


def test_the_online_file_is_in_wal_mode(store: LocalFeatures, database: Path, tmp_path: Path) -> None:
    store.publish(CUSTOMER, "v1", write(tmp_path / "a.parquet", CUSTOMER, visits(1, 1)), Silent())
    connection = sqlite3.connect(database)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
