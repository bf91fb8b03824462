"""What an algorithm's file says of its own tuning: which parameters are searched, and between which bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Integer:
    """A whole number, both ends included. `log`: a step from 1 to 2 counts as much as one from 100 to 200."""

    low: int
    high: int
    log: bool = False

    def holds(self, value: Any) -> bool:
        return isinstance(value, int) and self.low <= value <= self.high


@dataclass(frozen=True)
class Real:
    """A number between two ends."""

    low: float
    high: float
    log: bool = False

    def holds(self, value: Any) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    options: tuple[str, ...]

    def holds(self, value: Any) -> bool:
        return value in self.options


Dimension = Integer | Real | Choice
