"""Gates: the KPIs a number must meet, each with the figure, the limit and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Gate:
    """One KPI. `direction` is "at least" or "at most"."""

    name: str
    value: float
    limit: float
    direction: str = "at least"

    @property
    def ok(self) -> bool:
        # Written so that NaN fails.
        return self.value >= self.limit if self.direction == "at least" else self.value <= self.limit

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "ok": self.ok}

    def __str__(self) -> str:
        return f"{self.name} {self.value:.4g}, must be {self.direction} {self.limit:.4g}"


def of_scorecard(scorecard: Mapping[str, Any], limits: Mapping[str, float]) -> list[Gate]:
    """The model gates: accuracy, macro F1, precision of each class, and the pricing error against one price for all."""
    precision = [
        Gate(f"precision {label}", value, limits["precision"])
        for label, value in sorted(scorecard["precision"].items())
    ]
    return [
        Gate("accuracy", scorecard["accuracy"], limits["accuracy"]),
        Gate("macro F1", scorecard["macro_f1"], limits["macro_f1"]),
        *precision,
        Gate("pricing error vs one price", scorecard["pricing_error_change"], limits["pricing_error"], "at most"),
    ]
