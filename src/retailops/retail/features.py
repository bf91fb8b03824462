"""The feature table: each feature of a basket declared once, for the SQL of the gold zone and for the online encoder.

A kind of aggregation knows both sides: how SQL computes it over a basket's silver rows, and how Python computes the
same number from the lines of one request. Money is integer pence on both sides, so sums agree to the bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from retailops.errors import RetailOpsError
from retailops.retail import columns

Group = Literal["basket", "spend", "store", "product"]
Value = float | str | None


@dataclass(frozen=True)
class Feature:
    """One column of the gold zone.

    kind      SQL over the basket's rows        meaning
    count     count(*)                          lines
    sum       sum(column)
    max       max(column)
    max_ratio max(column / over)                per line, then the largest
    ratio     sum(column) / sum(over)           NULL never: `over` is at least 1 per line
    per_line  sum(column) / count(*)
    distinct  count(DISTINCT column)
    constant  min(column)                       the same on every row of a basket
    dearest   column of the line with the largest spend, ties to the larger product code
    """

    name: str
    group: Group
    kind: str
    column: str = ""
    over: str = ""
    categorical: bool = False

    def __post_init__(self) -> None:
        if self.column in columns.FORBIDDEN_FEATURES:
            raise RetailOpsError(
                f"{self.column} can't be the feature {self.name!r}: a model would remember it instead of learning.",
                "Use a feature of what is in the basket; see docs/decisions for the measurements.",
            )
        if self.kind not in _KINDS:
            raise RetailOpsError(
                f"Feature {self.name!r} has the unknown kind {self.kind!r}.", f"Kinds: {', '.join(_KINDS)}."
            )

    @property
    def sql(self) -> str:
        """The aggregate over silver rows grouped by basket, in DuckDB dialect."""
        return _KINDS[self.kind].sql.format(column=self.column, over=self.over)

    def online(self) -> Callable[[Any], Value]:
        """The same from one request: a function of a basket with `.lines`, fields named like columns in lower case."""
        return _KINDS[self.kind].online(self.column.lower(), self.over.lower())


@dataclass(frozen=True)
class _Kind:
    sql: str
    online: Callable[[str, str], Callable[[Any], Value]]


def _dearest(column: str, _: str) -> Callable[[Any], Value]:
    def value(basket: Any) -> Value:
        line = max(basket.lines, key=lambda each: (each.spend_pence, each.prod_code))
        found: str | None = getattr(line, column)
        return found

    return value


def _sum(column: str, _: str) -> Callable[[Any], Value]:
    return lambda basket: sum([getattr(line, column) for line in basket.lines])


_KINDS: dict[str, _Kind] = {
    "count": _Kind("count(*)", lambda c, o: lambda basket: len(basket.lines)),
    "sum": _Kind("CAST(sum({column}) AS BIGINT)", _sum),
    "max": _Kind("max({column})", lambda c, o: lambda basket: max([getattr(line, c) for line in basket.lines])),
    "max_ratio": _Kind(
        "max({column} / {over})",
        lambda c, o: lambda basket: max([getattr(line, c) / getattr(line, o) for line in basket.lines]),
    ),
    "ratio": _Kind(
        "sum({column}) / sum({over})",
        lambda c, o: (
            lambda basket: (
                sum([getattr(line, c) for line in basket.lines]) / sum([getattr(line, o) for line in basket.lines])
            )
        ),
    ),
    "per_line": _Kind("sum({column}) / count(*)", lambda c, o: lambda basket: _sum(c, o)(basket) / len(basket.lines)),  # type: ignore[operator]
    "distinct": _Kind(
        "count(DISTINCT {column})",
        lambda c, o: lambda basket: len({getattr(line, c) for line in basket.lines} - {None}),
    ),
    "constant": _Kind("min({column})", lambda c, o: lambda basket: getattr(basket, c)),
    "dearest": _Kind("arg_max({column}, (SPEND_PENCE, PROD_CODE))", _dearest),
}

# Unit of money: pence. SPEND_PENCE and QUANTITY are integers in the silver zone.
TABLE: tuple[Feature, ...] = (
    Feature("lines", "basket", "count"),
    Feature("quantity", "basket", "sum", "QUANTITY"),
    Feature("shop_weekday", "basket", "constant", "SHOP_WEEKDAY"),
    Feature("shop_hour", "basket", "constant", "SHOP_HOUR"),
    Feature("basket_size", "basket", "constant", "BASKET_SIZE", categorical=True),
    Feature("basket_type", "basket", "constant", "BASKET_TYPE", categorical=True),
    Feature("basket_mission", "basket", "constant", "BASKET_DOMINANT_MISSION", categorical=True),
    Feature("spend_pence", "spend", "sum", "SPEND_PENCE"),
    Feature("dearest_line_pence", "spend", "max", "SPEND_PENCE"),
    Feature("dearest_unit_pence", "spend", "max_ratio", "SPEND_PENCE", "QUANTITY"),
    Feature("mean_unit_pence", "spend", "ratio", "SPEND_PENCE", "QUANTITY"),
    Feature("mean_line_pence", "spend", "per_line", "SPEND_PENCE"),
    Feature("store_region", "store", "constant", "STORE_REGION", categorical=True),
    Feature("store_format", "store", "constant", "STORE_FORMAT", categorical=True),
    Feature("departments", "product", "distinct", "PROD_CODE_20"),
    Feature("categories", "product", "distinct", "PROD_CODE_10"),
    Feature("dearest_department", "product", "dearest", "PROD_CODE_20", categorical=True),
    Feature("dearest_group", "product", "dearest", "PROD_CODE_30", categorical=True),
)

BY_NAME = {feature.name: feature for feature in TABLE}

# The nine columns of the original design document, brought to basket grain: the honest baseline.
SEED = (
    "basket_size",
    "basket_type",
    "basket_mission",
    "spend_pence",
    "quantity",
    "store_region",
    "store_format",
    "dearest_department",
    "dearest_group",
)

SETS: dict[str, tuple[str, ...]] = {
    # The leanings of the products in the basket come on top of these; they are learned, so they aren't in TABLE.
    "leanings": tuple(f.name for f in TABLE if f.name not in {"basket_size", "dearest_department", "dearest_group"}),
    "seed": SEED,
}


def gold_columns() -> list[tuple[str, str]]:
    """(name, SQL aggregate) for every feature of the table, for `SELECT … FROM silver GROUP BY BASKET_ID`."""
    return [(feature.name, feature.sql) for feature in TABLE]
