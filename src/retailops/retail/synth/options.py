"""What a user may choose about the synthetic data, and the fiscal calendar its weeks follow."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from retailops.errors import UsageError

# Week 01 of fiscal 2006 began on this Monday; every fiscal year has 52 weeks, so the calendar never needs %W.
_EPOCH = dt.date(2006, 2, 27)
_EPOCH_YEAR = 2006
_WEEKS_A_YEAR = 52

# The published files begin here, and BASKET_ID counts its weeks from here.
FIRST_PUBLISHED_WEEK = 200607


def week_number(week: int) -> int:
    """Weeks since the first of fiscal 2006: 200601 → 0."""
    year, in_year = divmod(week, 100)
    return (year - _EPOCH_YEAR) * _WEEKS_A_YEAR + in_year - 1


def week_of(number: int) -> int:
    """The inverse of `week_number`: 52 → 200701."""
    year, in_year = divmod(number, _WEEKS_A_YEAR)
    return (_EPOCH_YEAR + year) * 100 + in_year + 1


def monday(week: int) -> dt.date:
    """The first day of a fiscal week."""
    return _EPOCH + dt.timedelta(weeks=week_number(week))


@dataclass(frozen=True)
class SynthOptions:
    """How much data, from when, and how noisy. The same options give the same bytes.

    baskets     over all weeks together, exactly this many
    weeks       fiscal weeks, one file each
    seed        of everything that is drawn
    noise       share of the labels that is drawn again, uniformly over the classes: 0 … 1, and 1 leaves pure chance
    first_week  yyyyww
    """

    baskets: int = 40_000
    weeks: int = 20
    seed: int = 7
    noise: float = 0.0
    first_week: int = FIRST_PUBLISHED_WEEK

    def __post_init__(self) -> None:
        year, in_year = divmod(self.first_week, 100)
        last = week_number(FIRST_PUBLISHED_WEEK) + 999
        for wrong, what in (
            (self.weeks < 1, f"weeks is {self.weeks}; at least 1 is needed."),
            (self.baskets < self.weeks, f"baskets is {self.baskets}; at least one a week is needed, so {self.weeks}."),
            (not 0 <= self.noise <= 1, f"noise is {self.noise}; it is a share between 0 and 1."),
            (self.seed < 0, f"seed is {self.seed}; it is a whole number from 0."),
            (
                not 1 <= in_year <= _WEEKS_A_YEAR or self.first_week < FIRST_PUBLISHED_WEEK or year > 9999,
                f"first_week is {self.first_week}; it is a fiscal week from {FIRST_PUBLISHED_WEEK} on, ww 01 to 52.",
            ),
            (
                week_number(self.first_week) + self.weeks > last,
                f"{self.weeks} weeks from {self.first_week} on don't fit: BASKET_ID has three digits for the week.",
            ),
        ):
            if wrong:
                raise UsageError(f"Synthetic data: {what}", "Change that option and run the command again.")

    @property
    def fiscal_weeks(self) -> tuple[int, ...]:
        """yyyyww of every week, ascending."""
        first = week_number(self.first_week)
        return tuple(week_of(first + each) for each in range(self.weeks))

    @property
    def weekly_baskets(self) -> float:
        """Mean over the weeks."""
        return self.baskets / self.weeks
