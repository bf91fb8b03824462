"""Text columns typed by the contract: a field's SQL runs once per distinct value and is spread over the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retailops.retail.contract import Field, typed_values_sql

ARROW = {"INTEGER": pa.int32(), "TINYINT": pa.int8(), "BIGINT": pa.int64(), "DATE": pa.date32(), "VARCHAR": pa.string()}
SHORT = 8_192  # distinct values
BATCH = 61_440  # rows; DuckDB hands each batch to one thread


@dataclass(frozen=True)
class Typed:
    """`table`: the silver columns, text as dictionaries in ascending order without a null or a value twice.

    broken: per row, 0 or 1 + the position of the first field whose rule it breaks.
    """

    table: pa.Table
    broken: np.ndarray[Any, Any]


def typed(text: pa.Table, fields: tuple[Field, ...], connection: duckdb.DuckDBPyConnection) -> Typed:
    """Type the columns of one chunk; rows keep their order."""
    sources = {field.source: _single(text.column(field.source)) for field in fields}
    found = _values({name: each.dictionary for name, each in sources.items()}, fields, connection)
    columns: dict[str, Any] = {}
    broken = np.zeros(text.num_rows, dtype=np.uint8)
    for position, field in reversed(list(enumerate(fields))):
        codes, (values, missing) = sources[field.source].indices, found[field.name]
        wrong = values.is_null().to_numpy(zero_copy_only=False) & (~missing | field.required)
        bad = np.append(wrong, field.required and codes.null_count > 0)
        if bad.any():
            broken[bad[codes.fill_null(len(wrong)).to_numpy(zero_copy_only=False)]] = position + 1
        columns[field.name] = _ordered(codes, values) if field.type == "VARCHAR" else _at(values, codes)
    return Typed(pa.table({field.name: columns[field.name] for field in fields}), broken)


def coded(table: pa.Table) -> pa.Table:
    """The same rows with the position in its dictionary for every text, in batches for DuckDB.

    Positions compare, group and order as the values do, and integers are several times cheaper to group by.
    """
    columns = {name: _single(table.column(name)) for name in table.column_names}
    plain = {name: each.indices if pa.types.is_dictionary(each.type) else each for name, each in columns.items()}
    whole = pa.table(plain)
    return pa.Table.from_batches(whole.to_batches(max_chunksize=BATCH), whole.schema)


def decoded(result: pa.Table, table: pa.Table, origin: Mapping[str, str]) -> pa.Table:
    """The columns of a query over `coded(table)` as text again; origin: column of the result → column it came from."""
    for name, source in origin.items():
        dictionary = _single(table.column(source)).dictionary
        text = pa.DictionaryArray.from_arrays(_single(result.column(name)).cast(pa.int32()), dictionary)
        result = result.set_column(result.schema.get_field_index(name), name, text)
    return result


def _values(
    texts: Mapping[str, pa.Array], fields: tuple[Field, ...], connection: duckdb.DuckDBPyConnection
) -> dict[str, tuple[pa.Array, np.ndarray[Any, Any]]]:
    """Field → for each distinct text its typed value, and whether it is empty but for spaces."""
    found = {}
    # Short columns share one statement, filled up with NULL to one length: a statement costs more than many values.
    short = tuple(field for field in fields if len(texts[field.source]) <= SHORT)
    for group in (short, *((field,) for field in fields if field not in short)):
        if not group:
            continue
        length = max(len(texts[field.source]) for field in group)
        filled = {field.source: _filled(texts[field.source], length) for field in group}
        connection.register("texts", pa.table(filled))
        result = connection.sql(typed_values_sql(group, "texts")).to_arrow_table()
        connection.unregister("texts")
        for field in group:
            own = len(texts[field.source])
            value = _single(result.column(field.name)).cast(ARROW[field.type]).slice(0, own)
            missing = _single(result.column(f"{field.name}_missing")).slice(0, own).to_numpy(zero_copy_only=False)
            found[field.name] = (value, missing.astype(bool))
    return found


def _filled(texts: pa.Array, length: int) -> pa.Array:
    return pa.concat_arrays([texts, pa.nulls(length - len(texts), texts.type)])


def _ordered(codes: pa.Array, values: pa.Array) -> pa.Array:
    """`values` at `codes` as a dictionary in ascending order. Several texts may mean one value (AZ and LA), or none."""
    distinct = values.drop_null().unique()
    dictionary = distinct.take(pc.array_sort_indices(distinct))
    return pa.DictionaryArray.from_arrays(_at(pc.index_in(values, dictionary), codes), dictionary)


def _at(values: pa.Array, codes: pa.Array) -> pa.Array:
    """`values` at `codes`, which are of a dictionary of that length: to check them again would cost a third more."""
    return pc.take(values, codes, boundscheck=False)


def _single(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
