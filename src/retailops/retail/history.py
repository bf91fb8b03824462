"""The history of a feature group, asked with DuckDB: judged on its way in, never looked ahead in on its way out.

Where the files lie is the target's affair; a connection here has a view `history` of one version's records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from retailops import files
from retailops.errors import TargetFailed, UsageError
from retailops.retail.feature_groups import EVENT_TIME, Group, Value, judged_sql

Row = tuple[str, datetime, dict[str, Value]]  # key, event time (UTC), features


@dataclass(frozen=True)
class Judged:
    """What is taken of a file of records, in the table `judged` with a column `reason`, and what isn't."""

    records: int
    taken: int
    rejected: dict[str, int]  # reason → records


@contextmanager
def connected(spill: Path, threads: int, memory_mb: int) -> Iterator[Any]:
    """A DuckDB connection within these limits, which spills into a folder that is gone afterwards."""
    import duckdb

    limits: dict[str, Any] = {"threads": threads, "memory_limit": f"{memory_mb}MB", "temp_directory": str(spill)}
    try:
        with duckdb.connect(config=limits) as connection:
            yield connection
    except (OSError, duckdb.IOException) as error:
        raise TargetFailed(
            f"The offline feature store stopped at the disk: {error}.", "Free space or mend it, and run it again."
        ) from error
    finally:
        files.remove(spill)


def judge(connection: Any, group: Group, records: Path) -> Judged:
    """Read a file of records into the table `judged`; the counts reconcile, or TargetFailed."""
    connection.read_parquet(str(records)).create_view("records")
    connection.execute(f"CREATE TEMP TABLE judged AS {judged_sql(group, 'records')}")
    tally = dict(connection.execute("SELECT reason, count(*) FROM judged GROUP BY reason ORDER BY reason").fetchall())
    taken = tally.pop(None, 0)
    ((total,),) = connection.execute("SELECT count(*) FROM records").fetchall()
    return Judged(total, taken, tally)


def reconcile(group: Group, judged: Judged, written: int) -> None:
    """TargetFailed when what is written and what is rejected isn't all that there was."""
    rejected = sum(judged.rejected.values())
    if judged.records != written + rejected:
        raise TargetFailed(
            f"{judged.records} records of {group.name} don't add up: {written} written, {rejected} rejected.",
            "Nothing was published. Run the same command again.",
        )


def newest(connection: Any, group: Group) -> list[tuple[Value, ...]]:
    """The newest record of each key in `history`, in the group's columns; event times as ISO 8601 text."""
    return connection.execute(newest_sql(group)).fetchall()  # type: ignore[no-any-return]


def newest_sql(group: Group) -> str:
    """The query of `newest`."""
    return (
        f"SELECT {group.key}, strftime({EVENT_TIME}, '%Y-%m-%dT%H:%M:%SZ') AS {EVENT_TIME}, "
        f"{', '.join(group.features)} FROM history "
        f"QUALIFY row_number() OVER (PARTITION BY {group.key} ORDER BY history.{EVENT_TIME} DESC) = 1 "
        f"ORDER BY {group.key}"
    )


def before(connection: Any, group: Group, wanted: Sequence[tuple[str, datetime]]) -> list[Row | None]:
    """For each (key, moment) the newest record of `history` strictly before it. UsageError without a time zone."""
    import pyarrow as pa

    asked = pa.table(
        {
            "row": pa.array(range(len(wanted)), pa.int64()),
            "wanted_key": pa.array([key for key, _ in wanted], pa.string()),
            "moment": pa.array([_utc(moment) for _, moment in wanted], pa.timestamp("us")),
        }
    )
    connection.register("wanted", asked)
    rows = connection.execute(
        f"SELECT {', '.join(group.columns)} FROM wanted ASOF LEFT JOIN history "
        f"ON wanted_key = {group.key} AND moment > {EVENT_TIME} ORDER BY row"
    ).fetchall()
    names = tuple(group.features)
    return [
        None if key is None else (key, at.replace(tzinfo=UTC), dict(zip(names, values, strict=True)))
        for key, at, *values in rows
    ]


def view_of(connection: Any, paths: str, name: str = "history") -> None:
    """A view of the parquet files that the pattern names; nothing is read off their folders' names."""
    connection.read_parquet(paths, hive_partitioning=False).create_view(name)


def view_of_nothing(connection: Any, group: Group) -> None:
    """`history` of a version without a record."""
    nothing = ", ".join(f"NULL AS {name}" for name in group.features)
    connection.execute(
        f"CREATE VIEW history AS SELECT NULL::VARCHAR AS {group.key}, NULL::TIMESTAMP AS {EVENT_TIME}, {nothing} "
        "WHERE false"
    )


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise UsageError(f"{moment.isoformat()} has no time zone.", "Add one, such as +00:00.")
    return moment.astimezone(UTC).replace(tzinfo=None)
