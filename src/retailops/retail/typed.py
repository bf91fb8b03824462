"""Text columns typed by the contract: each field's SQL runs once per distinct value, and its result is spread over the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from retailops.retail.contract import Field

ARROW = {"INTEGER": pa.int32(), "TINYINT": pa.int8(), "BIGINT": pa.int64(), "DATE": pa.date32(), "VARCHAR": pa.string()}


@dataclass(frozen=True)
class Typed:
    """`table`: the silver columns, codes as dictionaries. `broken`: per row, 0 or 1 + the position of its first wrong field."""

    table: pa.Table
    broken: np.ndarray[Any, Any]


def typed(text: pa.Table, fields: tuple[Field, ...], connection: duckdb.DuckDBPyConnection) -> Typed:
    """Type the columns of one chunk; rows keep their order."""
    columns: dict[str, Any] = {}
    broken = np.zeros(text.num_rows, dtype=np.uint8)
    for position, field in reversed(list(enumerate(fields))):
        source = text.column(field.source).combine_chunks()
        values, wrong, missing = _values(source.dictionary, field, connection)
        codes = source.indices
        bad = np.append(wrong | (missing if field.required else False), field.required and codes.null_count > 0)
        if bad.any():
            broken[bad[codes.fill_null(len(wrong)).to_numpy(zero_copy_only=False)]] = position + 1
        columns[field.name] = _spread(codes, values, missing, field)
    return Typed(pa.table({field.name: columns[field.name] for field in fields}), broken)


def _values(dictionary: pa.Array, field: Field, connection: duckdb.DuckDBPyConnection) -> tuple[pa.Array, Any, Any]:
    """For each distinct text: its typed value, whether it breaks the rule, whether it is empty but for spaces."""
    connection.register("texts", pa.table({"position": np.arange(len(dictionary)), "v": dictionary}))
    query = (
        f"SELECT CAST({field.value} AS {field.type}) AS value, v IS NULL AS missing "
        "FROM (SELECT position, nullif(trim(v), '') AS v FROM texts) AS trimmed ORDER BY position"
    )
    found = connection.sql(query).to_arrow_table().combine_chunks()
    connection.unregister("texts")
    value = _column(found, "value").cast(ARROW[field.type])
    missing = _column(found, "missing").to_numpy(zero_copy_only=False).astype(bool)
    wrong = value.is_null().to_numpy(zero_copy_only=False) & ~missing
    return value, wrong, missing


def _column(table: pa.Table, name: str) -> pa.Array:
    column = table.column(name)
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _spread(codes: pa.Array, values: pa.Array, missing: np.ndarray[Any, Any], field: Field) -> pa.Array:
    if field.type != "VARCHAR":
        return values.take(codes)
    # Several texts may mean one value (AZ and LA), and a null may not stand among a dictionary's values.
    encoded = values.dictionary_encode()
    if encoded.null_count == 0 and len(encoded.dictionary) == len(values):
        return pa.DictionaryArray.from_arrays(codes, values)
    return pa.DictionaryArray.from_arrays(encoded.indices.take(codes), encoded.dictionary)
