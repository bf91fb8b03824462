"""Floor 4, local: the offline side of the feature store: every record of a version, as parquet by the week.

A version's folder is complete when its publication.json is there: {"definition", "records", "written", "rejected",
"keys"}. Records that weren't taken lie beside the weeks, in rejected.parquet, each with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from retailops import files
from retailops.errors import TargetFailed, UsageError
from retailops.ports import Record
from retailops.retail.feature_groups import EVENT_TIME, Group, Value, judged_sql

_LISTING = "publication.json"


class History:
    """`folder`/<group>/<version>/week=<its Monday>/*.parquet."""

    def __init__(self, folder: Path, threads: int, memory_mb: int) -> None:
        self._folder = folder
        self._threads = threads
        self._memory_mb = memory_mb

    def listing(self, group: Group, version: str) -> dict[str, Any] | None:
        """The counts of a complete version; None when it isn't there, or its group has other features now."""
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
        with self._connect() as connection:
            self._view(connection, group, version)
            return connection.execute(  # type: ignore[no-any-return]
                f"SELECT {group.key}, strftime({EVENT_TIME}, '%Y-%m-%dT%H:%M:%SZ'), {', '.join(group.features)} "
                f"FROM history QUALIFY row_number() OVER (PARTITION BY {group.key} ORDER BY {EVENT_TIME} DESC) = 1 "
                f"ORDER BY {group.key}"
            ).fetchall()

    def before(self, group: Group, version: str, wanted: Sequence[tuple[str, datetime]]) -> list[Record | None]:
        """For each (key, moment) the newest record strictly before it."""
        import pyarrow as pa

        asked = pa.table(
            {
                "row": pa.array(range(len(wanted)), pa.int64()),
                "wanted_key": pa.array([key for key, _ in wanted], pa.string()),
                "moment": pa.array([_utc(moment) for _, moment in wanted], pa.timestamp("us")),
            }
        )
        with self._connect() as connection:
            self._view(connection, group, version)
            connection.register("wanted", asked)
            rows = connection.execute(
                f"SELECT {', '.join(group.columns)} FROM wanted ASOF LEFT JOIN history "
                f"ON wanted_key = {group.key} AND moment > {EVENT_TIME} ORDER BY row"
            ).fetchall()
        names = tuple(group.features)
        return [
            None if key is None else Record(key, at.replace(tzinfo=UTC), dict(zip(names, values, strict=True)))
            for key, at, *values in rows
        ]

    def _of(self, group: Group, version: str) -> Path:
        return self._folder / group.name / version

    def _view(self, connection: Any, group: Group, version: str) -> None:
        folder = self._of(group, version)
        if any(folder.glob("week=*")):
            connection.read_parquet(f"{folder}/week=*/*.parquet", hive_partitioning=False).create_view("history")
            return
        nothing = ", ".join(f"NULL AS {name}" for name in group.features)
        connection.execute(
            f"CREATE VIEW history AS SELECT NULL::VARCHAR AS {group.key}, NULL::TIMESTAMP AS {EVENT_TIME}, {nothing} "
            "WHERE false"
        )

    @contextmanager
    def _connect(self) -> Iterator[Any]:
        import duckdb

        spill = self._folder / ".spilled"
        limits: dict[str, Any] = {"threads": self._threads, "memory_limit": f"{self._memory_mb}MB"}
        try:
            with duckdb.connect(config=limits | {"temp_directory": str(spill)}) as connection:
                yield connection
        except (OSError, duckdb.IOException) as error:
            raise TargetFailed(
                f"The offline feature store stopped at the disk: {error}.", "Free space or mend it, and run it again."
            ) from error


def _ingest(connection: Any, group: Group, records: Path, folder: Path) -> dict[str, Any]:
    """Write the weeks and what was rejected; the counts, compared with what really lies there."""
    connection.read_parquet(str(records)).create_view("records")
    connection.execute(f"CREATE TEMP TABLE judged AS {judged_sql(group, 'records')}")
    tally = dict(connection.execute("SELECT reason, count(*) FROM judged GROUP BY reason ORDER BY reason").fetchall())
    taken = tally.pop(None, 0)
    names = ", ".join(group.columns)
    if taken:
        connection.execute(
            f"COPY (SELECT {names}, CAST(date_trunc('week', {EVENT_TIME}) AS DATE) AS week FROM judged "
            f"WHERE reason IS NULL ORDER BY {EVENT_TIME}, {group.key}) TO '{_quoted(folder)}' "
            "(FORMAT parquet, COMPRESSION zstd, PARTITION_BY (week), OVERWRITE_OR_IGNORE)"
        )
    if tally:
        rejected = _quoted(folder / "rejected.parquet")
        connection.execute(f"COPY (FROM judged WHERE reason IS NOT NULL) TO '{rejected}' (FORMAT parquet)")
    written = keys = 0
    if taken:
        written, keys = connection.execute(
            f"SELECT count(*), count(DISTINCT {group.key}) FROM read_parquet($1, hive_partitioning = false)",
            [f"{folder}/week=*/*.parquet"],
        ).fetchone()
    ((total,),) = connection.execute("SELECT count(*) FROM records").fetchall()
    if total != written + sum(tally.values()):
        raise TargetFailed(
            f"{total} records of {group.name} don't add up: {written} written, {sum(tally.values())} rejected.",
            "Nothing was published. Run the same command again.",
        )
    return {"records": total, "written": written, "rejected": tally, "keys": keys}


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise UsageError(f"{moment.isoformat()} has no time zone.", "Add one, such as +00:00.")
    return moment.astimezone(UTC).replace(tzinfo=None)
