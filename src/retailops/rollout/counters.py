"""Floor 3, rollout: what servers count of themselves, read from their /metrics, added up and subtracted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

_LINE = re.compile(r"^(?P<name>[a-z_]+)(?:\{(?P<labels>[^}]*)\})? (?P<value>\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ROUTE = "/predict"  # and what lies below it


@dataclass(frozen=True)
class Counts:
    """Of one server since it started, or of some servers between two moments. Only what concerns predictions."""

    statuses: Mapping[int, int] = field(default_factory=dict)  # of an answer → how many
    buckets: Mapping[float, int] = field(default_factory=dict)  # seconds at most → answers to one basket, not summed up
    seconds: float = 0.0  # that these took
    classes: Mapping[str, int] = field(default_factory=dict)
    dropped: int = 0  # answered and not logged

    @classmethod
    def read(cls, text: str) -> Self:
        """From Prometheus' text format; what isn't in it is 0."""
        statuses: Counter[int] = Counter()
        summed: dict[float, int] = {}
        classes: dict[str, int] = {}
        seconds, dropped = 0.0, 0
        for name, labels, value in _samples(text):
            if name == "retailops_requests_total" and labels["route"].startswith(_ROUTE):
                statuses[int(labels["status"])] += int(value)
            elif name == "retailops_request_seconds_bucket" and labels["route"] == _ROUTE:
                summed[float(labels["le"])] = int(value)
            elif name == "retailops_request_seconds_sum" and labels["route"] == _ROUTE:
                seconds = value
            elif name == "retailops_predictions_total":
                classes[labels["prediction"]] = int(value)
            elif name == "retailops_log_dropped_total":
                dropped = int(value)
        bounds = sorted(summed)
        buckets = {bound: summed[bound] - (summed[below] if below else 0) for below, bound in _pairs(bounds)}
        return cls(dict(statuses), buckets, seconds, classes, dropped)

    def __add__(self, other: Self) -> Self:
        return self._with(other, 1)

    def __sub__(self, other: Self) -> Self:
        return self._with(other, -1)

    def _with(self, other: Self, sign: int) -> Self:
        return type(self)(
            _combined(self.statuses, other.statuses, sign),
            _combined(self.buckets, other.buckets, sign),
            self.seconds + sign * other.seconds,
            _combined(self.classes, other.classes, sign),
            self.dropped + sign * other.dropped,
        )

    @property
    def requests(self) -> int:
        return sum(self.statuses.values())

    @property
    def timed(self) -> int:
        """Answers to one basket."""
        return sum(self.buckets.values())

    @property
    def predictions(self) -> int:
        return sum(self.classes.values())

    @property
    def error_rate(self) -> float:
        """Share of answers with a status of 500 and above."""
        errors = sum(count for status, count in self.statuses.items() if status >= 500)
        return errors / self.requests if self.requests else 0.0

    @property
    def mean_s(self) -> float:
        return self.seconds / self.timed if self.timed else 0.0

    def quantile_ms(self, share: float) -> float:
        """Milliseconds within which this share was answered; as in Prometheus, even inside a bucket.

        What lies beyond the last bound counts as that bound.
        """
        wanted, below, lower = share * self.timed, 0, 0.0
        for bound in sorted(self.buckets):
            count = self.buckets[bound]
            if count and below + count >= wanted:
                upper = bound if bound != float("inf") else lower
                return round((lower + (upper - lower) * max(0.0, wanted - below) / count) * 1000, 3)
            below, lower = below + count, bound
        return 0.0


def total(counts: Iterable[Counts]) -> Counts:
    return sum(counts, Counts())


def _samples(text: str) -> Iterable[tuple[str, dict[str, str], float]]:
    for line in text.splitlines():
        found = _LINE.match(line)
        if found:
            yield found["name"], dict(_LABEL.findall(found["labels"] or "")), float(found["value"])


def _pairs(bounds: list[float]) -> Iterable[tuple[float | None, float]]:
    return zip([None, *bounds[:-1]], bounds, strict=True) if bounds else ()


def _combined(left: Mapping, right: Mapping, sign: int) -> dict:  # type: ignore[type-arg]
    return {key: left.get(key, 0) + sign * right.get(key, 0) for key in {**left, **right}}
