"""Floor 4, aws: the offline side of SageMaker Feature Store: all of history as parquet on S3.

An edition's records are written straight to where the group's offline store lies, in SageMaker's own layout and with
its three own columns, as AWS's Spark connector does: PutRecord would take a call a record and show them a quarter of an
hour later. One object an hour of event time, called <latest event time in it>_<edition>.parquet, so that one edition
among many, and among records that others put, is told by name. To read, the objects of an edition are fetched, each
once, and asked with DuckDB.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from retailops import files
from retailops.errors import TargetFailed
from retailops.ports import Record
from retailops.progress import Progress
from retailops.retail import history
from retailops.retail.feature_groups import EVENT_TIME, Group
from retailops.targets.aws.editions import NEWEST, PUBLICATION, REJECTED, Editions
from retailops.targets.aws.mirror import Mirror

RECORD, VERSION = "record_id", "version"
_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


class Offline:
    """<offline store of the group>/data/year=…/month=…/day=…/hour=…/<time>_<edition>.parquet."""

    def __init__(self, editions: Editions, mirror: Mirror, threads: int, memory_mb: int) -> None:
        self._editions = editions
        self._mirror = mirror
        self._limits = threads, memory_mb

    def write(self, group: Group, edition: str, version: str, records: Path, progress: Progress) -> dict[str, Any]:
        """Take the records of a parquet file; the counts. An edition that is whole stays as it is."""
        if done := self._editions.listing(group, edition):
            return done
        folder, place = self._editions.folder(group, edition), self._editions.data(group)
        folder.mkdir(parents=True, exist_ok=True)
        with self._connected() as connection:
            judged = history.judge(connection, group, records)
            connection.execute("CREATE VIEW history AS FROM judged WHERE reason IS NULL")
            written = _write(place, edition, _rows(connection, group, edition, version, records))
            _copy(connection, history.newest_sql(group), folder / NEWEST)
            if judged.rejected:
                _copy(connection, "FROM judged WHERE reason IS NOT NULL", folder / REJECTED)
            ((keys,),) = connection.execute(f"SELECT count(DISTINCT {group.key}) FROM history").fetchall()
        history.reconcile(group, judged, sum(written.values()))
        self._send(group, place, edition, list(written), progress)
        self._mirror.push(folder, progress)
        listing = {"records": judged.records, "written": judged.taken, "rejected": judged.rejected, "keys": keys}
        files.write_json(folder / PUBLICATION, listing)
        self._mirror.push(folder / PUBLICATION)
        return listing

    def newest(self, group: Group, edition: str) -> list[tuple[Any, ...]]:
        """The newest record of each key, in the group's columns; event times as ISO 8601 text. Nothing when unknown."""
        import pyarrow.parquet as pq

        path = self._editions.folder(group, edition, NEWEST)
        if not self._mirror.exists(path):
            return []
        return [tuple(row.values()) for row in pq.read_table(self._mirror.fetch(path)).to_pylist()]

    def before(self, group: Group, edition: str, wanted: Sequence[tuple[str, datetime]]) -> list[Record | None]:
        """For each (key, moment) the newest record strictly before it."""
        place, named = self._editions.data(group), _named(edition)
        with self._connected() as connection:
            if self._mirror.listing(place, named):
                self._mirror.fetch(place, named=named)
                columns = ", ".join([group.key, *group.features])
                history.view_of(connection, f"{place}/*/*/*/*/{named}", "stored")
                connection.execute(
                    f"CREATE VIEW history AS SELECT {columns}, strptime({EVENT_TIME}, '{_FORMAT}') AS {EVENT_TIME} "
                    "FROM stored WHERE NOT is_deleted"
                )
            else:
                history.view_of_nothing(connection, group)
            return [row and Record(*row) for row in history.before(connection, group, wanted)]

    def _send(self, group: Group, place: Path, edition: str, written: list[Path], progress: Progress) -> None:
        """Upload the hours; S3 verifies each, and in the end has as many as were written."""
        if written:
            self._mirror.push(place, progress, named=_named(edition))
        there = self._mirror.listing(place, _named(edition))
        if len(there) != len(written):
            raise TargetFailed(
                f"{len(written)} objects of the {group.name} features were sent, and S3 has {len(there)}.",
                "Nothing was published. Run the same command again.",
            )

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        with history.connected(self._mirror.root.parent / ".spilled", *self._limits) as connection:
            yield connection


def _write(place: Path, edition: str, batches: Iterator[Any]) -> dict[Path, int]:
    """Rows in the order of time become a file an hour: path → rows in it. They have a column `hour`, yyyymmddhh."""
    pieces = (each for batch in batches for each in _by_hour(batch))
    return dict(
        _write_hour(place, edition, hour, [table for _, table in same])
        for hour, same in groupby(pieces, key=itemgetter(0))
    )


def _write_hour(place: Path, edition: str, hour: str, tables: list[Any]) -> tuple[Path, int]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.concat_tables(tables)
    stamp = table.column(EVENT_TIME)[-1].as_py().replace("-", "").replace(":", "")
    partition = f"year={hour[:4]}/month={hour[4:6]}/day={hour[6:8]}/hour={hour[8:]}"
    path = place / partition / f"{stamp}_{edition}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as temporary:
        pq.write_table(table, temporary)
    return path, len(table)


def _by_hour(batch: Any) -> Iterator[tuple[str, Any]]:
    """The runs of rows of one hour, as tables without the column `hour`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = pa.table(batch)
    runs = pc.run_end_encode(table.column("hour").combine_chunks())
    begin = 0
    for hour, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        yield hour, table.slice(begin, end - begin).drop_columns(["hour"])
        begin = end


def _rows(connection: Any, group: Group, edition: str, version: str, records: Path) -> Iterator[Any]:
    """Batches of the records as the offline store has them, in the order of time.

    They are written at the time when their file was made: the same file again gives the same bytes.
    """
    import pyarrow as pa

    made = datetime.fromtimestamp(int(records.stat().st_mtime), UTC).replace(tzinfo=None)
    query = (
        f"SELECT concat($edition, '/', {group.key}) AS {RECORD}, strftime({EVENT_TIME}, '{_FORMAT}') AS {EVENT_TIME}, "
        f"$version AS {VERSION}, {group.key}, {', '.join(group.features)}, $made::TIMESTAMP AS write_time, "
        f"$made::TIMESTAMP AS api_invocation_time, false AS is_deleted, strftime({EVENT_TIME}, '%Y%m%d%H') AS hour "
        f"FROM history ORDER BY history.{EVENT_TIME}, {group.key}"
    )
    found = connection.sql(query, params={"edition": edition, "version": version, "made": made})
    return iter(pa.RecordBatchReader.from_stream(found))


def _copy(connection: Any, query: str, path: Path) -> None:
    with files.replacing(path) as temporary:
        connection.execute(f"COPY ({query}) TO $1 (FORMAT parquet)", [str(temporary)])


def _named(edition: str) -> str:
    return f"*_{edition}.parquet"
