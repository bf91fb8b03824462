"""The silver zone on disk: one parquet file per partition, each chunk appended to it as a row group."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from retailops.errors import DataError
from retailops.retail.contract import PARTITIONS

MOST = 400  # partitions, each an open file


class Silver:
    """Appends chunks of silver rows to `folder`/STORE_REGION=…/BASKET_TYPE=…/; rows keep their order within a partition."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[tuple[str, ...], pq.ParquetWriter] = {}

    def __enter__(self) -> Silver:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for writer in self._writers.values():
            writer.close()

    def append(self, table: pa.Table) -> None:
        """Write the rows of `table` (silver columns, partition columns as dictionaries)."""
        if table.num_rows == 0:
            return
        parts = [table.column(name).combine_chunks() for name in PARTITIONS]
        codes = np.zeros(table.num_rows, dtype=np.int32)
        for part in parts:
            codes = codes * np.int32(len(part.dictionary)) + part.indices.to_numpy()
        order = np.argsort(codes.astype(np.uint16) if codes.max() < 1 << 16 else codes, kind="stable")
        rows = table.drop_columns(list(PARTITIONS)).take(pa.array(order))
        found, sizes = np.unique(codes, return_counts=True)
        starts = np.cumsum(sizes) - sizes
        for code, start, size in zip(found.tolist(), starts.tolist(), sizes.tolist(), strict=True):
            self._writer(_key(code, parts), rows.schema).write_table(rows.slice(start, size), row_group_size=size)

    def _writer(self, key: tuple[str, ...], schema: pa.Schema) -> pq.ParquetWriter:
        if key not in self._writers:
            if len(self._writers) >= MOST:
                raise DataError(
                    f"The rows have more than {MOST} combinations of {' and '.join(PARTITIONS)}, which silver is partitioned by.",
                    "Check that these two columns hold regions and basket types, not identifiers.",
                )
            folder = self._folder.joinpath(*(f"{name}={quote(value, safe='')}" for name, value in zip(PARTITIONS, key, strict=True)))
            folder.mkdir(parents=True, exist_ok=True)
            # The number keeps files apart where a file system doesn't tell xx from XX.
            path = folder / f"part-{len(self._writers):03d}.parquet"
            self._writers[key] = pq.ParquetWriter(path, schema, compression="zstd", store_schema=False)
        return self._writers[key]


def _key(code: int, parts: list[Any]) -> tuple[str, ...]:
    values: list[str] = []
    for part in reversed(parts):
        code, position = divmod(code, len(part.dictionary))
        values.insert(0, part.dictionary[position].as_py())
    return tuple(values)
