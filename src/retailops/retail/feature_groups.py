"""The feature store's groups, each declared once: what a record is of, its features, and where they come from.

A record holds what was known of one product, store or customer at its event time: the last second of the day that it
counts, so that "strictly before" a moment of the next day sees it, and a basket of the same day never does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

Type = Literal["String", "Integral", "Fractional"]
Value = str | int | float | None

EVENT_TIME = "event_time"  # TIMESTAMP, UTC
SQL_TYPES: Mapping[Type, str] = {"String": "VARCHAR", "Integral": "BIGINT", "Fractional": "DOUBLE"}


@dataclass(frozen=True)
class Group:
    """Features of one kind of thing. `key` names its records' identifier; a feature of a record may be unknown (None).

    made_of: "dataset" when the SQL file of its name makes records of the zones; "bundle" when they are learned.
    """

    name: str
    key: str
    features: Mapping[str, Type]
    made_of: Literal["dataset", "bundle"]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a file of records, in order."""
        return (self.key, EVENT_TIME, *self.features)

    @property
    def sql(self) -> str:
        """The records from the zones `gold` and `silver`, in DuckDB dialect."""
        return resources.files("retailops.retail").joinpath("sql", "features", f"{self.name}.sql").read_text("utf-8")

    def definition(self) -> dict[str, Any]:
        """What a published version must have been made with to be of use."""
        made = {"sql": hashlib.sha256(self.sql.encode()).hexdigest()[:16]} if self.made_of == "dataset" else {}
        return {"key": self.key, "features": dict(self.features), **made}


GROUPS: Mapping[str, Group] = {
    group.name: group
    for group in (
        Group(
            "product",
            "prod_code",
            {
                "category": "String",
                "department": "String",
                "leaning_la": "Fractional",
                "leaning_mm": "Fractional",
                "leaning_um": "Fractional",
                "leaning_none": "Fractional",
            },
            "bundle",
        ),
        Group("store", "store_code", {"store_format": "String", "store_region": "String"}, "dataset"),
        Group(
            "customer",
            "cust_code",
            {"baskets": "Integral", "lifestage": "String", "spend_pence": "Integral"},
            "dataset",
        ),
    )
}
OF_DATASETS = tuple(group for group in GROUPS.values() if group.made_of == "dataset")
PRODUCT = GROUPS["product"]

# Why a record isn't taken, in the order in which it is asked; the text is what a person reads.
REASONS: Mapping[str, str] = {
    "no_key": "it names nothing",
    "no_event_time": "it doesn't say when it was known",
    "not_a_number": "a feature is NaN or infinite",
    "repeated": "another record has the same key and event time",
}


def judged_sql(group: Group, source: str) -> str:
    """A SELECT of `source` with a column `reason`: why a record isn't taken, NULL for one that is.

    Of records with the same key and event time the first in the order of their values is taken, whatever their order.
    """
    names = ", ".join(group.columns)
    odd = [f"NOT isfinite({name})" for name, type_ in group.features.items() if type_ == "Fractional"]
    number = f"row_number() OVER (PARTITION BY {group.key}, {EVENT_TIME} ORDER BY {names})"
    return (
        f"SELECT {names}, CASE WHEN coalesce(trim({group.key}), '') = '' THEN 'no_key' "
        f"WHEN {EVENT_TIME} IS NULL THEN 'no_event_time' "
        f"WHEN coalesce({' OR '.join(odd) or 'false'}, false) THEN 'not_a_number' "
        f"WHEN {number} > 1 THEN 'repeated' END AS reason FROM {source}"
    )
