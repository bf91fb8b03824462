"""Reads the zones back as arrays: baskets with their features from gold, the lines behind them from silver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from retailops.errors import RetailOpsError
from retailops.retail.columns import LABELS
from retailops.retail.dataset import Dataset
from retailops.retail.features import TABLE
from retailops.retail.leanings import Catalogue, Lines

ATTRIBUTES = ("PROD_CODE_10", "PROD_CODE_20", "PROD_CODE_30", "PROD_CODE_40")


@dataclass(frozen=True)
class Baskets:
    """B baskets in the order of (week, id) and their lines in the order of product code.

    gold: column → array[B]. lines.product indexes `variants`: one entry for each combination of product code,
    attributes and unit price that occurs, so that what is asked of a line offline is what the server asks of it online.
    """

    gold: dict[str, NDArray[Any]]
    lines: Lines
    variants: Catalogue

    def __len__(self) -> int:
        return len(self.gold["basket_id"])

    @property
    def classes(self) -> NDArray[np.int64]:
        """int64[B]: index into LABELS, -1 for unclassified or unlabelled baskets."""
        words = self.gold["label"]
        found = np.full(len(words), -1, dtype=np.int64)
        for index, label in enumerate(LABELS):
            found[words == label] = index
        return found

    def take(self, mask: NDArray[np.bool_]) -> Baskets:
        """The baskets where mask[B] is true."""
        gold = {name: values[mask] for name, values in self.gold.items()}
        return Baskets(gold, self.lines.take(mask), self.variants)


def read(dataset: Dataset, weeks: tuple[int, int] | None = None, threads: int = 2) -> Baskets:
    """Baskets and lines of a dataset, of the weeks first..last (inclusive) when given."""
    connection = duckdb.connect(config={"threads": threads})
    first, last = weeks or (0, 999_999)
    gold = _gold(connection, dataset, first, last)
    attributes = ", ".join(f"coalesce({name}, '') AS {name}" for name in ATTRIBUTES)
    connection.execute(
        f"CREATE TEMP TABLE line AS SELECT SHOP_WEEK, BASKET_ID, PROD_CODE, {attributes}, QUANTITY, SPEND_PENCE, "
        "SPEND_PENCE / QUANTITY AS unit_pence "
        "FROM read_parquet(?, hive_partitioning = false) WHERE SHOP_WEEK BETWEEN ? AND ?",
        [f"{dataset.silver}/**/*.parquet", first, last],
    )
    names = ", ".join(ATTRIBUTES)
    connection.execute(
        f"CREATE TEMP TABLE variant AS SELECT (row_number() OVER (ORDER BY PROD_CODE, {names}, unit_pence) - 1)::INT "
        f"AS variant, * FROM (SELECT DISTINCT PROD_CODE, {names}, unit_pence FROM line)"
    )
    variant = _arrays(connection.sql("SELECT * FROM variant ORDER BY variant"))
    line = _arrays(
        connection.sql(
            "SELECT line.BASKET_ID, variant, QUANTITY::BIGINT AS quantity, SPEND_PENCE::BIGINT AS spend_pence "
            f"FROM line JOIN variant USING (PROD_CODE, {names}, unit_pence) "
            "ORDER BY SHOP_WEEK, BASKET_ID, PROD_CODE"
        )
    )
    connection.close()
    catalogue = Catalogue(
        variant["PROD_CODE"].astype(str),
        {name: variant[name].astype(str) for name in ATTRIBUTES},
        variant["unit_pence"],
    )
    return Baskets(gold, _lines(line, gold["basket_id"], dataset), catalogue)


def _gold(connection: duckdb.DuckDBPyConnection, dataset: Dataset, first: int, last: int) -> dict[str, NDArray[Any]]:
    names = ", ".join(feature.name for feature in TABLE)
    return _arrays(
        connection.sql(
            "SELECT basket_id, shop_week, (year(shop_date) * 10000 + month(shop_date) * 100 + day(shop_date))::INTEGER "
            f"AS shop_day, label, {names} FROM read_parquet(?) WHERE shop_week BETWEEN ? AND ? "
            "ORDER BY shop_week, basket_id",
            params=[f"{dataset.gold}/**/*.parquet", first, last],
        )
    )


def _lines(line: dict[str, NDArray[Any]], basket_ids: NDArray[Any], dataset: Dataset) -> Lines:
    ids = line["BASKET_ID"]
    starts = np.flatnonzero(np.diff(ids, prepend=ids[:1] - 1)) if len(ids) else np.zeros(0, dtype=np.int64)
    if not np.array_equal(ids[starts], basket_ids):
        raise RetailOpsError(
            f"Dataset {dataset.version}: the baskets of gold aren't those of silver.",
            f"Its folder {dataset.folder} was changed. Remove it and run: retailops etl",
        )
    index = np.zeros(len(ids), dtype=np.int32)
    index[starts[1:]] = 1
    return Lines(
        basket=np.cumsum(index, dtype=np.int32),
        product=line["variant"].astype(np.int32),
        quantity=line["quantity"],
        spend_pence=line["spend_pence"],
        baskets=len(basket_ids),
    )


def _arrays(result: duckdb.DuckDBPyRelation) -> dict[str, NDArray[Any]]:
    table = result.to_arrow_table()
    return {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}


def catalogue_of(lines: Lines, variants: Catalogue) -> tuple[Lines, Catalogue]:
    """Merge the variants that occur in `lines` into one entry a product code, with its median unit price there."""
    codes, code_of = np.unique(variants.codes, return_inverse=True)
    product = code_of[lines.product]
    present, renumbered = np.unique(product, return_inverse=True)
    unit = _group_medians(renumbered, variants.unit_pence[lines.product], len(present))
    _, first_variant = np.unique(code_of, return_index=True)
    chosen = first_variant[present]
    catalogue = Catalogue(
        codes[present].astype(str), {name: values[chosen] for name, values in variants.attributes.items()}, unit
    )
    merged = Lines(lines.basket, renumbered.astype(np.int32), lines.quantity, lines.spend_pence, lines.baskets)
    return merged, catalogue


def described(catalogue: Catalogue, last_day: int) -> dict[str, Any]:
    """Each product's category and department ("" for unknown), and the last day (yyyymmdd) learned from, as JSON."""
    attributes = [catalogue.attributes[name].tolist() for name in ("PROD_CODE_10", "PROD_CODE_20")]
    day = f"{last_day // 10000:04d}-{last_day // 100 % 100:02d}-{last_day % 100:02d}"
    return {
        "learned_until": day,
        "attributes": {code: list(pair) for code, *pair in zip(catalogue.codes.tolist(), *attributes, strict=True)},
    }


def _group_medians(group: NDArray[Any], values: NDArray[Any], groups: int) -> NDArray[np.float64]:
    order = np.lexsort((values, group))
    counts = np.bincount(group, minlength=groups)
    starts = np.cumsum(counts) - counts
    ranked = values[order]
    found: NDArray[np.float64] = (ranked[starts + (counts - 1) // 2] + ranked[starts + counts // 2]) / 2
    return found
