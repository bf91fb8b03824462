"""Floor 4, local: the offline side of the feature store: every record of a version, as parquet by the week.

A version's folder is complete when its publication.json is there: {"definition", "records", "written", "rejected",
"keys"}. Records that weren't taken lie beside the weeks, in rejected.parquet, each with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from retailops import files
from retailops.ports import Record
from retailops.retail import history
from retailops.retail.feature_groups import EVENT_TIME, Group, Value

_LISTING = "publication.json"


class History:
    """`folder`/<group>/<version>/week=<its Monday>/*.parquet."""

    def __init__(self, folder: Path, threads: int, memory_mb: int) -> None:
        self._folder = folder
        self._threads = threads
        self._memory_mb = memory_mb

    def listing(self, group: Group, version: str) -> dict[str, Any] | None:
        """The counts of a complete version; None when it isn't there, or its group is made otherwise now."""
        found = files.read_json(self._of(group, version) / _LISTING)
        whole = isinstance(found, dict) and found.get("definition") == group.definition()
        return found if whole else None

    def write(self, group: Group, version: str, records: Path) -> dict[str, Any]:
        """Take the records of a parquet file; the counts. A version that is complete stays as it is."""
        if done := self.listing(group, version):
            return done
        target = self._of(group, version)
        unfinished = target.with_name(f".{version}.unfinished")
        files.remove(unfinished)
        unfinished.mkdir(parents=True)
        with self._connect() as connection:
            counts = _ingest(connection, group, records, unfinished)
        listing = {"definition": group.definition(), **counts}
        files.write_json(unfinished / _LISTING, listing)
        files.remove(target, first=[_LISTING])
        files.move(unfinished, target)
        return listing

    def newest(self, group: Group, version: str) -> list[tuple[Value, ...]]:
        """The newest record of each key, event times as ISO 8601 text."""
        with self._opened(group, version) as connection:
            return history.newest(connection, group)

    def before(self, group: Group, version: str, wanted: Sequence[tuple[str, datetime]]) -> list[Record | None]:
        """For each (key, moment) the newest record strictly before it."""
        with self._opened(group, version) as connection:
            return [row and Record(*row) for row in history.before(connection, group, wanted)]

    def _of(self, group: Group, version: str) -> Path:
        return self._folder / group.name / version

    @contextmanager
    def _opened(self, group: Group, version: str) -> Iterator[Any]:
        """A connection with the view `history` of this version."""
        folder = self._of(group, version)
        with self._connect() as connection:
            if any(folder.glob("week=*")):
                history.view_of(connection, f"{folder}/week=*/*.parquet")
            else:
                history.view_of_nothing(connection, group)
            yield connection

    @contextmanager
    def _connect(self) -> Iterator[Any]:
        with history.connected(self._folder / ".spilled", self._threads, self._memory_mb) as connection:
            yield connection


def _ingest(connection: Any, group: Group, records: Path, folder: Path) -> dict[str, Any]:
    """Write the weeks and what was rejected; the counts, compared with what really lies there."""
    judged = history.judge(connection, group, records)
    names = ", ".join(group.columns)
    if judged.taken:
        connection.execute(
            f"COPY (SELECT {names}, CAST(date_trunc('week', {EVENT_TIME}) AS DATE) AS week FROM judged "
            f"WHERE reason IS NULL ORDER BY {EVENT_TIME}, {group.key}) TO '{_quoted(folder)}' "
            "(FORMAT parquet, COMPRESSION zstd, PARTITION_BY (week), OVERWRITE_OR_IGNORE)"
        )
    if judged.rejected:
        rejected = _quoted(folder / "rejected.parquet")
        connection.execute(f"COPY (FROM judged WHERE reason IS NOT NULL) TO '{rejected}' (FORMAT parquet)")
    written = keys = 0
    if judged.taken:
        written, keys = connection.execute(
            f"SELECT count(*), count(DISTINCT {group.key}) FROM read_parquet($1, hive_partitioning = false)",
            [f"{folder}/week=*/*.parquet"],
        ).fetchone()
    history.reconcile(group, judged, written)
    return {"records": judged.records, "written": written, "rejected": judged.rejected, "keys": keys}


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
