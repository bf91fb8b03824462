"""Raw files → silver (typed, deduplicated, partitioned rows) → gold (one row a basket), in bounded memory, to the row.

One thread reads ahead, DuckDB judges and aggregates, one thread writes behind: three chunks of whole weeks in hand.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from retailops.errors import DataError, GateFailed, TargetFailed
from retailops.files import write_json
from retailops.progress import Progress
from retailops.retail import blocks, chunks, contract, quarantine, sources
from retailops.retail.chunks import Chunk, OutOfOrder
from retailops.retail.columns import LABEL, UNCLASSIFIED
from retailops.retail.dataset import MANIFEST, Dataset
from retailops.retail.flow import Behind, ahead
from retailops.retail.typed import coded, decoded, typed
from retailops.retail.zones import GOLD_FILE, Gold, Silver

CODE_FILES = ("blocks", "chunks", "columns", "contract", "etl", "features", "sources", "typed", "zones")


MANY = 500_000  # refused rows


@dataclass(frozen=True)
class EtlOptions:
    """max_quarantined: share of raw rows that may break the contract. memory_mb and threads don't change the result."""

    max_quarantined: float = 0.01
    memory_mb: int = 700
    threads: int = 2


@dataclass
class _Totals:
    """What one run has counted so far."""

    silver: int = 0
    duplicates: int = 0
    gold: int = 0
    weeks: set[int] = field(default_factory=set)
    labels: Counter[str] = field(default_factory=Counter)
    refused: list[quarantine.Refused] = field(default_factory=list)
    baskets: list[Any] = field(default_factory=list)  # sorted ids, one array a chunk


def version(source: Path, options: EtlOptions, labelled: bool, progress: Progress) -> str:
    """The version that `run` would give: from the contents of the inputs, whatever their names, options and code."""
    files = sources.discover(source, labelled=labelled)
    progress.stage("Fingerprint of the input", sum(file.bytes for file in files), "bytes")
    digests, done = [], 0
    with ThreadPoolExecutor(options.threads) as pool:
        for file, digest in zip(files, pool.map(blocks.digest, files), strict=True):
            digests.append(digest)
            done += file.bytes
            progress.advance(done)
    return version_of(digests, options, labelled)


def version_of(digests: Iterable[str], options: EtlOptions, labelled: bool) -> str:
    """The same, given the SHA-256 of each file."""
    whole = hashlib.sha256(repr((sorted(digests), options.max_quarantined, labelled)).encode())
    here = Path(__file__).parent
    for path in [*(here / f"{name}.py" for name in CODE_FILES), *sorted((here / "sql").glob("*.sql"))]:
        whole.update(path.read_bytes())
    return whole.hexdigest()[:16]


def run(source: Path, output: Path, options: EtlOptions, progress: Progress, *, labelled: bool = True) -> Dataset:
    """Make the dataset of `source` in `output`, which is finished when its manifest is there; a killed run starts over.

    Raises DataError for input that can't be read, GateFailed when too many rows break the contract (they stay in
    output/quarantine).
    """
    files = sources.discover(source, labelled=labelled, progress=progress)
    output.joinpath(MANIFEST).unlink(missing_ok=True)
    try:
        manifest = _make(files, output, options, progress, labelled)
    except GateFailed:
        _clear(output, "silver", "gold")
        raise
    except duckdb.OutOfMemoryException as error:
        raise TargetFailed(
            f"{options.memory_mb} MB is too little memory for the ETL of {source}.",
            "Raise etl.memory_mb in retail.yaml.",
        ) from error
    except OSError as error:
        raise TargetFailed(
            f"The ETL stopped at the disk: {error}.", "Free space or mend it, and run it again."
        ) from error
    write_json(output / MANIFEST, manifest)
    return Dataset.open(output)


def _make(
    files: list[sources.SourceFile], output: Path, options: EtlOptions, progress: Progress, labelled: bool
) -> dict[str, Any]:
    """Write the three zones; the manifest of what they hold."""
    work = _Work(files, output, options, progress, labelled)
    try:
        totals = work.run(in_order=True)
    except OutOfOrder:
        progress.note("The rows aren't sorted by week: sorting them on the disk first.")
        work = _Work(files, output, options, progress, labelled)
        totals = work.run(in_order=False)
    work.close_quarantine()
    if totals.gold == 0:
        raise empty_error(output / "quarantine")
    return _manifest(files, work.tallies, totals, output, options, labelled)


def empty_error(folder: Path | str) -> DataError:
    """Not one row is left; `folder` is the quarantine."""
    return DataError("The input holds no usable row.", f"Look into {folder} for the reasons.")


def _clear(output: Path, *names: str) -> None:
    for name in names:
        if (output / name).exists():
            shutil.rmtree(output / name)


class _Work:
    """One pass from files to zones."""

    def __init__(
        self,
        files: list[sources.SourceFile],
        output: Path,
        options: EtlOptions,
        progress: Progress,
        labelled: bool,
    ) -> None:
        self._files, self._output, self._options, self._progress = files, output, options, progress
        self.tallies = [blocks.Tally() for _ in files]
        self._fields = contract.fields(labelled=labelled)
        self._spool = output / ".sorting"
        self._connection = duckdb.connect(
            config={
                # Reading and writing keep another core busy meanwhile: with one thread for each, all wait for all.
                "threads": max(1, options.threads - 1),
                "memory_limit": f"{options.memory_mb // 2}MB",  # the other half is the text of the chunks in hand
                "temp_directory": str(output / ".duckdb"),
            }
        )
        self._sql = {name: contract.sql(name) for name in ("weekdays", "verdicts")} | {"gold": contract.gold_sql()}
        self._totals = _Totals()

    def close_quarantine(self) -> None:
        """Write the refused rows; GateFailed when they are too many of the rows read so far."""
        folder = self._output / "quarantine"
        quarantine.write(folder, self._files, self._totals.refused)
        raw = sum(tally.rows for tally in self.tallies)
        reasons = Counter(reason for _, _, reason in self._totals.refused)
        quarantine.gate(folder / quarantine.ROWS, reasons, raw, self._options.max_quarantined)

    def run(self, *, in_order: bool) -> _Totals:
        _clear(self._output, "silver", "gold", "quarantine", ".sorting", ".duckdb")
        self._output.mkdir(parents=True, exist_ok=True)
        self._progress.stage("ETL: type, check, write", sum(file.bytes for file in self._files), "bytes")
        try:
            with Silver(self._output / "silver") as silver, Gold(self._output / "gold") as gold, Behind() as behind:
                for chunk in ahead(self._chunks(in_order), 1):
                    kept = self._judge(chunk)
                    baskets = self._baskets(kept)
                    behind.submit(_write, silver, gold, kept, baskets)
                    self._progress.advance(sum(tally.bytes for tally in self.tallies))
                    if self._hopeless():
                        self.close_quarantine()
        finally:
            self._connection.close()
            _clear(self._output, ".sorting", ".duckdb")
        return self._totals

    def _hopeless(self) -> bool:
        """So many refused rows that reading on would only fill the memory with more of them."""
        refused, raw = len(self._totals.refused), sum(tally.rows for tally in self.tallies)
        return refused > MANY and refused > 2 * self._options.max_quarantined * raw

    def _chunks(self, in_order: bool) -> Iterator[Chunk]:
        # Less memory, smaller chunks: the text, the types and the aggregates of a chunk are what memory goes to.
        size = chunks.CHUNK * min(self._options.memory_mb, 700) // 700
        if in_order:
            rows = ahead(blocks.read(self._files, self.tallies), 2)
            return chunks.in_order(rows, [file.first_week for file in self._files], size)
        return chunks.sorted_on_disk(self._reread, self._spool, size)

    def _reread(self) -> Iterator[blocks.Block]:
        for position in range(len(self.tallies)):
            self.tallies[position] = blocks.Tally()
        return blocks.read(self._files, self.tallies)

    def _judge(self, chunk: Chunk) -> pa.Table:
        """The rows of `chunk` that enter silver; the others are counted and noted."""
        totals = self._totals
        totals.refused += [(file, line, contract.MALFORMED) for file, line in chunk.malformed]
        result = typed(chunk.table, self._fields, self._connection)
        places = chunk.table.select(["file", "line"])
        table = result.table
        broken = np.flatnonzero(result.broken)
        if len(broken):
            self._note_broken(chunk.table, broken, result.broken[broken])
            sound = pa.array(np.flatnonzero(result.broken == 0))
            table, places = table.take(sound), places.take(sound)
        for verdicts in (self._weekdays, self._verdicts):
            table, places = self._without(table, places, verdicts(table))
        return table

    def _without(self, table: pa.Table, places: pa.Table, verdicts: pa.Table) -> tuple[pa.Table, pa.Table]:
        """`table` and `places` without the rows that have a verdict (row, reason)."""
        if verdicts.num_rows == 0:
            return table, places
        refused = verdicts.filter(pc.field("reason") != contract.DUPLICATE)
        self._totals.duplicates += verdicts.num_rows - refused.num_rows
        self._note(places, refused.column("row").to_numpy(), refused.column("reason").to_pylist())
        sound = pa.array(np.delete(np.arange(table.num_rows), verdicts.column("row").to_numpy()))
        return table.take(sound), places.take(sound)

    def _note_broken(self, text: pa.Table, rows: np.ndarray[Any, Any], codes: np.ndarray[Any, Any]) -> None:
        names = [self._fields[code - 1].code for code in codes.tolist()]
        ids = [row for row, name in zip(rows.tolist(), names, strict=True) if name == "basket_id"]
        for row in text.select(["BASKET_ID", "file", "line"]).take(pa.array(ids, pa.int64())).to_pylist():
            if sources.scientific(row["BASKET_ID"] or ""):
                raise sources.scientific_error(self._files[row["file"]].name, row["line"], row["BASKET_ID"])
        self._note(text, rows, names)

    def _note(self, places: pa.Table, rows: np.ndarray[Any, Any], reasons: list[str]) -> None:
        where = places.select(["file", "line"]).take(pa.array(rows))
        found = zip(where.column("file").to_pylist(), where.column("line").to_pylist(), reasons, strict=True)
        self._totals.refused += list(found)

    def _weekdays(self, table: pa.Table) -> pa.Table:
        self._connection.register("typed", _numbered(table.select(["SHOP_DATE", "SHOP_WEEKDAY"])))
        return self._connection.sql(self._sql["weekdays"]).to_arrow_table()

    def _verdicts(self, table: pa.Table) -> pa.Table:
        self._connection.register("typed", _numbered(table))
        ids = _distinct(table.column("BASKET_ID").to_numpy())
        self._connection.register("earlier", pa.table({"BASKET_ID": pa.array(self._met(ids), pa.int64())}))
        return self._connection.sql(self._sql["verdicts"]).to_arrow_table()

    def _met(self, ids: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Which of these baskets occurred in earlier chunks. Ids mostly grow with time, so few arrays overlap."""
        again = np.zeros(len(ids), dtype=bool)
        for known in self._totals.baskets:
            if len(ids) and len(known) and known[0] <= ids[-1] and ids[0] <= known[-1]:
                at = np.minimum(np.searchsorted(known, ids), len(known) - 1)
                again |= known[at] == ids
        self._totals.baskets.append(ids)
        return ids[again]

    def _baskets(self, kept: pa.Table) -> pa.Table:
        self._connection.register("silver", coded(kept))
        result = self._connection.sql(self._sql["gold"]).to_arrow_table()
        baskets = decoded(result, kept, contract.gold_texts())
        totals = self._totals
        totals.silver += kept.num_rows
        totals.gold += baskets.num_rows
        totals.weeks.update(np.unique(baskets.column("shop_week").to_numpy()).tolist())
        for each in baskets.column("label").value_counts().to_pylist():
            totals.labels[each["values"] or ""] += each["counts"]
        return baskets


def _distinct(ids: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The different ids, ascending. A basket's rows mostly stand together, so runs are thinned out before the sort."""
    return np.unique(ids[np.diff(ids, prepend=ids[:1] - 1) != 0])


def _numbered(table: pa.Table) -> pa.Table:
    return coded(table.append_column("row", pa.array(np.arange(table.num_rows, dtype=np.int64))))


def _write(silver: Silver, gold: Gold, kept: pa.Table, baskets: pa.Table) -> None:
    silver.append(kept)
    gold.append(baskets)


def _manifest(
    files: list[sources.SourceFile],
    tallies: list[blocks.Tally],
    totals: _Totals,
    output: Path,
    options: EtlOptions,
    labelled: bool,
) -> dict[str, Any]:
    digests = [tally.sha256.hexdigest() for tally in tallies]
    raw = sum(tally.rows for tally in tallies)
    counts = {"raw": raw, "silver": totals.silver, "quarantined": len(totals.refused), "duplicates": totals.duplicates}
    if raw != totals.silver + len(totals.refused) + totals.duplicates:
        raise RuntimeError(f"The rows don't add up: {counts}")
    silver = {each.name: each.type for each in contract.fields(labelled=labelled)}
    schema = pq.read_schema(output / "gold" / GOLD_FILE)
    return {
        "version": version_of(digests, options, labelled),
        "rows": {**counts, "gold": totals.gold},
        "weeks": sorted(totals.weeks),
        "labelled": labelled,
        "labels": {name: count for name, count in sorted(totals.labels.items()) if name},
        "unclassified": totals.labels[UNCLASSIFIED],
        "reasons": dict(Counter(reason for _, _, reason in totals.refused)),
        "options": {**dataclasses.asdict(options), "label": LABEL},
        "schema": {"silver": silver, "gold": {each.name: str(each.type) for each in schema}},
        "inputs": [
            {"name": file.name, "bytes": file.bytes, "sha256": digest, "rows": tally.rows}
            for file, digest, tally in zip(files, digests, tallies, strict=True)
        ],
    }
