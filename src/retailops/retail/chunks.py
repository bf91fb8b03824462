"""Blocks gathered into chunks of whole weeks: a basket never crosses a week, so a chunk can be judged on its own.

The usual input is sorted by week and streams. Any other order is noticed while reading, and sorted on the disk instead.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from retailops.retail.blocks import TEXT, Block

CHUNK = 350_000  # rows; their text, types and aggregates take about 250 MB
OPEN_FILES = 200  # while sorting on the disk


@dataclass(frozen=True)
class Chunk:
    """All rows of some weeks, and rows whose week can't be read: text columns, `file` and `line`, in the order read."""

    table: pa.Table
    malformed: list[tuple[int, int]]  # (file, line)


class OutOfOrder(Exception):
    """A week turned up again after it had been given away, or too many are open at once: the signal to sort first."""


def in_order(blocks: Iterator[Block], first_weeks: list[str], size: int) -> Iterator[Chunk]:
    """Chunks of about `size` rows in ascending order of week, each given as soon as its weeks are complete.

    first_weeks: of each file, in the order in which the blocks come. Raises OutOfOrder when it can't be done.
    """
    pending: list[pa.Table] = []
    malformed: list[tuple[int, int]] = []
    given = complete = ""
    for block in blocks:
        weeks = [week for week in _weeks(block.table) if week]
        if weeks and min(weeks) < given:
            raise OutOfOrder
        malformed += [(block.file, line) for line in block.malformed]
        pending.append(_located(block))
        # A week is complete when rows of a later one come, unless a file still unopened begins with it.
        complete = max(complete, min([max(weeks, default=""), *first_weeks[block.file + 1 :]]))
        rows = sum(table.num_rows for table in pending)
        if rows < size:
            continue
        ready = sum(_rows_before(table, complete) for table in pending)
        if ready >= size:
            yield Chunk(_joined([_select(table, _before(table, complete)) for table in pending]), malformed)
            pending = [_select(table, ~_before(table, complete)) for table in pending]
            pending, malformed, given = [table for table in pending if table.num_rows], [], complete
        elif rows - ready > 3 * size:
            raise OutOfOrder
    if pending or malformed:
        yield Chunk(_joined(pending), malformed)


def sorted_on_disk(read: Callable[[], Iterator[Block]], folder: Path, size: int) -> Iterator[Chunk]:
    """The same for input in any order: two passes over it, with its text parked in `folder` (as large as the input)."""
    rows: Counter[str] = Counter()
    malformed: list[tuple[int, int]] = []
    for block in read():
        malformed += [(block.file, line) for line in block.malformed]
        codes = _codes(block.table)
        for week, count in zip(_weeks(block.table), np.bincount(codes, minlength=1).tolist(), strict=False):
            rows[week] += count
    bucket_of = _buckets(rows, size)
    paths = [folder / f"{number:03d}.arrow" for number in range(max(bucket_of.values(), default=-1) + 1)]
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        writers: dict[int, Any] = {}
        for block in read():
            table = _located(block)
            of_week = np.array([bucket_of.get(week, 0) for week in _weeks(table)], dtype=np.int32)
            buckets = of_week[_codes(table)]
            plain = _plain(table)
            for bucket in np.unique(buckets).tolist():
                if bucket not in writers:
                    options = pa.ipc.IpcWriteOptions(compression="lz4")
                    writer = pa.ipc.new_stream(str(paths[bucket]), plain.schema, options=options)
                    writers[bucket] = stack.enter_context(writer)
                writers[bucket].write_table(plain.filter(pa.array(buckets == bucket)))
    for path in paths:
        with pa.ipc.open_stream(str(path)) as stream:
            table = _encoded(stream.read_all())
        path.unlink()
        yield Chunk(table, malformed)
        malformed = []


def _buckets(rows: Counter[str], size: int) -> dict[str, int]:
    """Week → number of the chunk that it goes to: ascending weeks until a chunk is full."""
    full = max(size, sum(rows.values()) // OPEN_FILES)
    bucket, filled, found = 0, 0, {}
    for week in sorted(rows):
        if filled and filled + rows[week] > full:
            bucket, filled = bucket + 1, 0
        found[week] = bucket
        filled += rows[week]
    return found


def _located(block: Block) -> pa.Table:
    return block.table.append_column("file", pa.array(np.full(block.table.num_rows, block.file, dtype=np.int32)))


def _codes(table: pa.Table) -> np.ndarray[Any, Any]:
    """For each row, the position of its week in `_weeks`."""
    column = table.column("SHOP_WEEK").combine_chunks()
    codes: np.ndarray[Any, Any] = column.indices.fill_null(len(column.dictionary)).to_numpy(zero_copy_only=False)
    return codes


def _weeks(table: pa.Table) -> list[str]:
    """The distinct weeks of a block as text that sorts, "" for what isn't a week; the last one stands for no value."""
    column = table.column("SHOP_WEEK").combine_chunks()
    trimmed = [value.strip() for value in column.dictionary.to_pylist()]
    return [value if re.fullmatch(r"\d{6}", value) else "" for value in trimmed] + [""]


def _before(table: pa.Table, week: str) -> np.ndarray[Any, Any]:
    earlier = np.array([each < week for each in _weeks(table)])
    mask: np.ndarray[Any, Any] = earlier[_codes(table)]
    return mask


def _rows_before(table: pa.Table, week: str) -> int:
    return int(_before(table, week).sum())


def _select(table: pa.Table, mask: np.ndarray[Any, Any]) -> pa.Table:
    if mask.all():
        return table
    kept = np.flatnonzero(mask)
    if len(kept) and kept[-1] - kept[0] + 1 == len(kept):  # a stretch: no copy
        return _encoded(table.slice(kept[0], len(kept)), ["SHOP_WEEK"])
    return _encoded(table.filter(pa.array(mask)), ["SHOP_WEEK"])


def _joined(parts: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(parts).unify_dictionaries().combine_chunks()


def _plain(table: pa.Table) -> pa.Table:
    types = [(field.name, pa.string() if field.type == TEXT else field.type) for field in table.schema]
    return table.cast(pa.schema(types))


def _encoded(table: pa.Table, names: list[str] | None = None) -> pa.Table:
    """Text columns as codes into the values that really occur; a part of a block keeps all of the block's otherwise."""
    for position, field in enumerate(table.schema):
        if field.type in (pa.string(), TEXT) and (names is None or field.name in names):
            column = table.column(position).cast(pa.string()).combine_chunks().dictionary_encode()
            table = table.set_column(position, pa.field(field.name, TEXT), column.cast(TEXT))
    return table
