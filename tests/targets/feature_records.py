"""Planted feature records, as files of the shape that a target publishes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from retailops.retail.feature_groups import GROUPS, Group, Value

STORE, CUSTOMER, PRODUCT = GROUPS["store"], GROUPS["customer"], GROUPS["product"]
FIRST = datetime(2007, 2, 26, 23, 59, 59, tzinfo=UTC)
ARROW = {"String": pa.string(), "Integral": pa.int64(), "Fractional": pa.float64()}

Row = tuple[Any, ...]  # key, event time, and the features of the group in order


def write(path: Path, group: Group, rows: Iterable[Row]) -> Path:
    """`rows` as a parquet file of the group's columns."""
    columns = list(zip(*rows, strict=True)) or [()] * len(group.columns)
    times = [None if at is None else at.astimezone(UTC).replace(tzinfo=None) for at in columns[1]]
    types = [pa.string(), pa.timestamp("us"), *(ARROW[type_] for type_ in group.features.values())]
    arrays = [
        pa.array(list(values), type_) for values, type_ in zip((columns[0], times, *columns[2:]), types, strict=True)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(arrays, names=list(group.columns)), path)
    return path


def day(number: int) -> datetime:
    """The last second of a day, counted from the first one on."""
    return FIRST + timedelta(days=number)


def visits(customers: int, days: int, worth: int = 100) -> list[Row]:
    """Every customer on every day, a basket each: `baskets` is the number of days so far."""
    return [
        (f"CUST{customer:010d}", day(number), number + 1, "YF", (number + 1) * worth)
        for number in range(days)
        for customer in range(customers)
    ]


def expected(row: Row) -> dict[str, Value]:
    """The features of one visit."""
    return dict(zip(CUSTOMER.features, row[2:], strict=True))
