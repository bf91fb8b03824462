"""Floor 4, local: the online side of the feature store: one SQLite file, a table a group with the newest records.

WAL: a reader keeps what it began with while a new version is written, and the switch is one transaction. Everything in
the file can be made again from the offline side.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from retailops.errors import TargetFailed
from retailops.ports import Record
from retailops.retail.feature_groups import EVENT_TIME, SQL_TYPES, Group, Value

T = TypeVar("T")
PATIENCE_S = 10.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.01, 0.5
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_AT_ONCE = 500  # keys in one statement


class Online:
    """The SQLite file at `path`; another program's lock is waited for, a little longer each time."""

    def __init__(self, path: Path, patience_s: float = PATIENCE_S, pause: Callable[[float], None] = time.sleep) -> None:
        self._path = path
        self._patience_s = patience_s
        self._pause = pause

    def live(self) -> dict[str, tuple[str, str]]:
        """Group → (version, when it was published)."""
        if not self._path.exists():
            return {}
        return self._patiently(self._live)

    def switch(self, group: Group, version: str, rows: Iterable[Sequence[Value]]) -> int:
        """Replace the group's records by `rows` (columns of the group), in one transaction; how many there are now."""
        known = list(rows)  # an attempt that met a lock is made again from the start
        return self._patiently(lambda: self._switch(group, version, known))

    def read(self, group: Group, keys: Sequence[str]) -> dict[str, Record] | None:
        """The records of these keys, all of the same version; None when the group has none."""
        if not self._path.exists():
            return None
        return self._patiently(lambda: self._read(group, keys))

    def _live(self) -> dict[str, tuple[str, str]]:
        with self._open() as connection:
            return _live(connection)

    def _switch(self, group: Group, version: str, rows: Sequence[Sequence[Value]]) -> int:
        columns = ", ".join(f"{name} {SQL_TYPES[type_]}" for name, type_ in group.features.items())
        table = (
            f"{group.name} ({group.key} VARCHAR PRIMARY KEY, {EVENT_TIME} VARCHAR NOT NULL, {columns}) WITHOUT ROWID"
        )
        marks = ", ".join("?" * len(group.columns))
        with self._open() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_LIVE)
            connection.execute(f"DROP TABLE IF EXISTS {group.name}")
            connection.execute(f"CREATE TABLE {table}")
            connection.executemany(f"INSERT INTO {group.name} VALUES ({marks})", rows)
            now = datetime.now(UTC).isoformat(timespec="seconds")
            connection.execute("INSERT OR REPLACE INTO live VALUES (?, ?, ?)", (group.name, version, now))
            ((count,),) = connection.execute(f"SELECT count(*) FROM {group.name}")
            connection.execute("COMMIT")
        return int(count)

    def _read(self, group: Group, keys: Sequence[str]) -> dict[str, Record] | None:
        found: dict[str, Record] = {}
        with self._open() as connection:
            connection.execute("BEGIN")  # one snapshot for all that follows
            if group.name not in _live(connection):
                return None
            for first in range(0, len(keys), _AT_ONCE):
                some = keys[first : first + _AT_ONCE]
                marks = ", ".join("?" * len(some))
                cursor = connection.execute(f"SELECT * FROM {group.name} WHERE {group.key} IN ({marks})", some)
                names = [column[0] for column in cursor.description]
                for key, event_time, *values in cursor:
                    moment = datetime.fromisoformat(event_time)
                    found[key] = Record(key, moment, dict(zip(names[2:], values, strict=True)))
        return found

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection without a transaction of its own making; what isn't committed is rolled back at its end."""
        with closing(sqlite3.connect(self._path, timeout=0, isolation_level=None)) as connection:
            yield connection

    def _patiently(self, work: Callable[[], T]) -> T:
        deadline, seconds = time.monotonic() + self._patience_s, _FIRST_PAUSE_S
        while True:
            try:
                return work()
            except sqlite3.Error as error:
                locked = getattr(error, "sqlite_errorcode", 0) & 0xFF in _LOCKED
                if not locked:
                    raise TargetFailed(
                        f"The online feature store can't be used: {self._path}: {error}.",
                        "Free space or mend the file. It can be removed: retailops features ingest writes it again.",
                    ) from error
                if time.monotonic() + seconds > deadline:
                    raise TargetFailed(
                        f"Another program keeps the online feature store locked: {self._path}.",
                        "End what has the file open (a database browser?), then run this again.",
                    ) from error
                self._pause(seconds)
                seconds = min(2 * seconds, _LONGEST_PAUSE_S)


_LIVE = "CREATE TABLE IF NOT EXISTS live (name TEXT PRIMARY KEY, version TEXT NOT NULL, published TEXT NOT NULL)"


def _live(connection: sqlite3.Connection) -> dict[str, tuple[str, str]]:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'live'").fetchone():
        return {}  # made by a command that was killed before its first commit
    return {name: (version, at) for name, version, at in connection.execute("SELECT * FROM live ORDER BY name")}
