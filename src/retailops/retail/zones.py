"""The silver and gold zones on disk, written chunk by chunk: few files, one row group a chunk."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from retailops.errors import DataError
from retailops.retail.contract import PARTITIONS

LONG = 256  # distinct values
MOST = 400  # partitions, each an open file
_UNSAFE = r"""[\x00-\x1f"#%'*/:=?\\{[\]^\x7f]"""
GOLD_FILE = "part-000.parquet"


def escaped(value: str) -> str:
    """A value in a folder's name, as Hive, Spark and Athena have it."""
    return re.sub(_UNSAFE, lambda found: f"%{ord(found[0]):02X}", value)


class Silver:
    """Appends rows to `folder`/STORE_REGION=…/BASKET_TYPE=…/, one file each; rows keep their order within it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[tuple[str, ...], pq.ParquetWriter] = {}

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._writers.values():
            writer.close()

    def append(self, table: pa.Table) -> None:
        """Write the rows of `table`: the silver columns, the partition columns as dictionaries."""
        if table.num_rows == 0:
            return
        parts = [table.column(name).combine_chunks() for name in PARTITIONS]
        codes = np.zeros(table.num_rows, dtype=np.int64)
        for part in parts:
            codes = codes * len(part.dictionary) + part.indices.to_numpy()
        # numpy sorts 16-bit numbers by radix, which is stable and takes one pass
        order = np.argsort(codes.astype(np.uint16) if codes.max() < 1 << 16 else codes, kind="stable")
        plain = table.drop_columns(list(PARTITIONS))
        rows = pc.take(plain, pa.array(order.astype(np.int32)), boundscheck=False).combine_chunks()
        found, sizes = np.unique(codes, return_counts=True)
        starts = np.cumsum(sizes) - sizes
        for code, start, size in zip(found.tolist(), starts.tolist(), sizes.tolist(), strict=True):
            self._writer(_key(code, parts), rows.schema).write_table(
                _lean(rows.slice(start, size)), row_group_size=size
            )

    def _writer(self, key: tuple[str, ...], schema: pa.Schema) -> pq.ParquetWriter:
        if key not in self._writers:
            if len(self._writers) >= MOST:
                names = " and ".join(PARTITIONS)
                raise DataError(
                    f"The rows have more than {MOST} combinations of {names}, which silver is partitioned by.",
                    "Check that these two columns hold regions and basket types, not identifiers.",
                )
            named = zip(PARTITIONS, key, strict=True)
            folder = self._folder.joinpath(*(f"{name}={escaped(value)}" for name, value in named))
            folder.mkdir(parents=True, exist_ok=True)
            # The number keeps files apart where a file system doesn't tell xx from XX.
            path = folder / f"part-{len(self._writers):03d}.parquet"
            self._writers[key] = pq.ParquetWriter(
                path,
                schema,
                compression="zstd",
                store_schema=False,
                use_dictionary=[name for name in schema.names if name not in {"BASKET_ID", "SPEND_PENCE"}],
                write_statistics=["SHOP_WEEK", "BASKET_ID"],  # what is filtered by; all would cost 30 % more
            )
        return self._writers[key]


class Gold:
    """Appends baskets to the one file of `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer:
            self._writer.close()

    def append(self, baskets: pa.Table) -> None:
        if self._writer is None:
            path = self._folder / GOLD_FILE
            self._writer = pq.ParquetWriter(path, baskets.schema, compression="zstd", store_schema=False)
        self._writer.write_table(baskets)


def _lean(rows: pa.Table) -> pa.Table:
    """The same rows; long dictionaries cut to the values that occur, since each row group carries its own."""
    for position, field in enumerate(rows.schema):
        if not pa.types.is_dictionary(field.type):
            continue
        column = rows.column(position).chunk(0)
        if len(column.dictionary) <= LONG:
            continue
        codes = column.indices.fill_null(0).to_numpy()
        used = np.zeros(len(column.dictionary), dtype=bool)
        used[codes] = True
        mask = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
        renumbered = pa.array((np.cumsum(used, dtype=np.int32) - 1)[codes], mask=mask)
        lean = pa.DictionaryArray.from_arrays(renumbered, column.dictionary.filter(pa.array(used)))
        rows = rows.set_column(position, field, lean)
    return rows


def _key(code: int, parts: list[Any]) -> tuple[str, ...]:
    values: list[str] = []
    for part in reversed(parts):
        code, position = divmod(code, len(part.dictionary))
        values.insert(0, part.dictionary[position].as_py())
    return tuple(values)
