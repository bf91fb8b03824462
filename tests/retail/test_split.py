"""Training and test never share a basket, and the test is always later."""

from __future__ import annotations

import numpy as np
import pytest

from retailops.errors import DataError, RetailOpsError
from retailops.retail import split
from retailops.retail.features import Feature

WEEKS = np.array([200650, 200651, 200652, 200701, 200702, 200702])
DAYS = np.array([20070212, 20070219, 20070220, 20070226, 20070305, 20070306])


def test_the_last_weeks_are_the_test() -> None:
    found = split.by_time(WEEKS, DAYS, 2)
    assert found.boundary == 200701
    assert found.test.tolist() == [False, False, False, True, True, True]


def test_about_an_eighth_of_the_weeks_is_the_test_by_default() -> None:
    weeks = np.arange(200607, 200647)
    assert split.by_time(weeks, weeks, None).test.sum() == 5


def test_one_week_is_split_by_day() -> None:
    days = np.array([20060410, 20060411, 20060412, 20060413, 20060414, 20060415, 20060416])
    found = split.by_time(np.full(7, 200607), days, None)
    assert found.unit == "day"
    assert found.test.tolist() == [False] * 5 + [True] * 2


def test_a_single_day_is_refused() -> None:
    with pytest.raises(DataError, match="single day"):
        split.by_time(np.full(3, 200607), np.full(3, 20060410), None)


def test_a_test_that_leaves_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(DataError, match=r"train\.test_weeks is 5.*5 weeks"):
        split.by_time(WEEKS, DAYS, 5)


def test_a_split_over_lines_is_refused() -> None:
    with pytest.raises(RetailOpsError, match="lines were split"):
        split.refuse_shared_baskets(np.array([1, 2, 2, 3]), np.array([3, 4]))


@pytest.mark.parametrize("column", ["BASKET_ID", "STORE_CODE", "SHOP_DATE"])
def test_an_identifier_is_refused_as_a_feature(column: str) -> None:
    with pytest.raises(RetailOpsError, match=f"{column} can't be the feature"):
        Feature("leak", "store", "constant", column, categorical=True)
