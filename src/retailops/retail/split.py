"""How baskets are divided into training and test: by time, each basket whole. A split over lines is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retailops.errors import DataError, RetailOpsError

# About the last eighth: 94 weeks of real data leave 12 for the test, 20 synthetic ones leave 2.
TEST_SHARE = 1 / 8
_FEWEST = 3  # weeks or days for two steps forward: with one there is no telling a gain from noise


@dataclass(frozen=True)
class TimeSplit:
    """Baskets before `boundary` train, the others test. `unit` is "week" (yyyyww) or, with one week of data, "day"."""

    unit: str
    boundary: int
    test: NDArray[np.bool_]  # bool[B]

    def describe(self) -> dict[str, Any]:
        return {"unit": self.unit, "test_from": self.boundary}


def by_time(weeks: NDArray[Any], days: NDArray[Any], test_weeks: int | None) -> TimeSplit:
    """Split baskets by fiscal week, or by day when there is only one week.

    weeks: int[B], yyyyww. days: int[B], yyyymmdd. test_weeks: how many of the last weeks are the test; None for about
    an eighth.
    DataError when there is nothing to train on or nothing to test on.
    """
    units = np.unique(weeks)
    if len(units) == 1:
        return _by_day(days)
    count = max(1, round(len(units) * TEST_SHARE)) if test_weeks is None else test_weeks
    if count >= len(units):
        raise DataError(
            f"train.test_weeks is {count}, but the dataset has {len(units)} weeks: nothing would be left to train on.",
            f"Set train.test_weeks to at most {len(units) - 1}, or load more weeks.",
        )
    boundary = int(units[-count])
    return TimeSplit("week", boundary, weeks >= boundary)


def _by_day(days: NDArray[Any]) -> TimeSplit:
    units = np.unique(days)
    if len(units) < 2:
        raise DataError(
            "The dataset covers a single day, so there is no later time to test on.",
            "Load at least two days, better several weeks.",
        )
    boundary = int(units[-max(1, round(len(units) * 2 / 7))])
    return TimeSplit("day", boundary, days >= boundary)


@dataclass(frozen=True)
class Fold:
    """One step forward in time: learn from what lies before, judge on `first` … `last`, both included."""

    unit: str
    first: int
    last: int
    learned: NDArray[np.bool_]  # bool[B]
    judged: NDArray[np.bool_]  # bool[B]

    def describe(self) -> dict[str, Any]:
        counts = {"learned": int(self.learned.sum()), "judged": int(self.judged.sum())}
        return {"unit": self.unit, "first": self.first, "last": self.last, **counts}


def forward(weeks: NDArray[Any], days: NDArray[Any], folds: int) -> list[Fold]:
    """Up to `folds` steps forward through these baskets, by week, or by day when there are fewer than three weeks.

    The weeks are cut into folds + 1 runs of about the same length. The first is only learned from; each later one is
    judged by what was learned from all before it. DataError with fewer than three weeks and three days.
    """
    unit, values = ("week", weeks) if len(np.unique(weeks)) >= _FEWEST else ("day", days)
    units = np.unique(values)
    if len(units) < _FEWEST:
        raise DataError(
            f"The training side covers {len(units)} {unit}s; steps forward in time need at least {_FEWEST}.",
            "Load more weeks, or set train.test_weeks to fewer.",
        )
    runs = np.array_split(units, min(folds, len(units) - 1) + 1)
    return [
        Fold(unit, int(run[0]), int(run[-1]), values < run[0], (values >= run[0]) & (values <= run[-1]))
        for run in runs[1:]
    ]


def refuse_shared_baskets(train: NDArray[Any], test: NDArray[Any]) -> None:
    """Raise when a basket stands on both sides: a model would know the answer from the basket's other lines.

    On the real rows such a split lifts an unpruned tree from .43 to .80 without it learning anything.
    """
    shared = np.intersect1d(train, test)
    if len(shared):
        raise RetailOpsError(
            f"{len(shared)} baskets are both in training and in test (the first: {shared[0]}): "
            "lines were split, not baskets.",
            "Split by basket and by time: retail.split.by_time does.",
        )
