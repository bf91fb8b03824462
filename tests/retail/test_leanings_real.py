"""Learned leanings on real rows: earlier weeks teach, later weeks judge."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pytest

from retailops.retail.columns import LABELS
from retailops.retail.leanings import Catalogue, Leanings, Lines, choose_weight, fit
from retailops.retail.leanings.lines import Floats, Ints

pytestmark = [pytest.mark.real, pytest.mark.slow]

LEVELS = ("PROD_CODE_10", "PROD_CODE_20", "PROD_CODE_30", "PROD_CODE_40")
LAST_TRAINING_WEEK = 200741


@dataclass(frozen=True)
class Split:
    catalogue: Catalogue
    train: Lines
    y: Ints
    test: Lines
    test_y: Ints

    def accuracy(self, leanings: Leanings) -> float:
        score: Floats = leanings.features(self.test, leanings.posteriors(self.catalogue)[0])[:, 0]
        return float(np.mean(np.argmax(leanings.link.probabilities(score), axis=1) == self.test_y))


@pytest.fixture(scope="module")
def real(real_csv_folder: Path) -> Split:
    db = duckdb.connect(config={"threads": 2})
    levels = ", ".join(f"any_value({level}) AS {level}" for level in LEVELS)
    db.execute(
        f"CREATE TABLE rows AS SELECT * FROM read_csv('{real_csv_folder}/transactions_*.csv', header = true)"
        " WHERE BASKET_PRICE_SENSITIVITY <> 'XX' AND SHOP_WEEK <= 200752"
    )
    products = db.sql(
        f"SELECT PROD_CODE, {levels}, median(SPEND * 100 / QUANTITY) AS unit FROM rows GROUP BY 1 ORDER BY 1"
    ).fetchnumpy()
    lines = db.sql(
        "SELECT dense_rank() OVER (ORDER BY SHOP_WEEK, BASKET_ID) - 1 AS basket, SHOP_WEEK, PROD_CODE, QUANTITY,"
        " CAST(round(SPEND * 100) AS BIGINT) AS pence, BASKET_PRICE_SENSITIVITY AS label FROM rows"
        " ORDER BY basket, PROD_CODE"
    ).fetchnumpy()
    codes = products["PROD_CODE"].astype(str)
    basket = lines["basket"].astype(np.int32)
    product = np.searchsorted(codes, lines["PROD_CODE"].astype(str)).astype(np.int32)
    every = Lines(basket, product, lines["QUANTITY"].astype(np.int64), lines["pence"], int(basket[-1]) + 1)
    first = np.searchsorted(basket, np.arange(every.baskets))
    y = np.searchsorted(LABELS, lines["label"].astype(str)[first])
    early = lines["SHOP_WEEK"][first] <= LAST_TRAINING_WEEK
    catalogue = Catalogue(codes, {level: products[level] for level in LEVELS}, products["unit"].astype(np.float64))
    return Split(catalogue, every.take(early), y[early], every.take(~early), y[~early])


def test_twenty_thousand_baskets_teach_enough_for_later_weeks(real: Split) -> None:
    some = np.zeros(real.train.baskets, dtype=np.bool_)
    some[np.random.default_rng(0).permutation(real.train.baskets)[:20_000]] = True
    lines, y = real.train.take(some), real.y[some]
    assert choose_weight(lines, y, real.catalogue) == "one"
    assert real.accuracy(fit(lines, y, real.catalogue, weight="one")) > 0.985


def test_all_training_weeks_leave_hardly_an_error_even_where_products_are_new(real: Split) -> None:
    assert real.accuracy(fit(real.train, real.y, real.catalogue, weight="one")) > 0.9998


def test_a_quarter_of_labels_redrawn_is_noticed_and_survived(real: Split) -> None:
    rng = np.random.default_rng(1)
    redrawn = rng.random(len(real.y)) < 0.25
    y = np.where(redrawn, rng.integers(0, 3, len(real.y)), real.y)
    leanings = fit(real.train, y, real.catalogue, weight="one")
    assert leanings.noise == pytest.approx(0.25, abs=0.01)
    assert real.accuracy(leanings) > 0.999
