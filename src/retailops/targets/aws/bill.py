"""Floor 4, aws: a month and its bill: every line is a quantity times a unit price, rounded to the cent."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from retailops.ports import CostLine
from retailops.targets.aws.prices import Prices

HOURS = 730.0  # of a month: 365 days by 12, as AWS's own calculator counts
WEEKS = 365 / 7 / 12  # of a month

Part = Literal["infrastructure", "data", "training", "serving", "logs"]


@dataclass(frozen=True)
class Month:
    """One way to spend a month: so many hours awake, parked for the rest."""

    scenario: str
    awake_hours: float

    @property
    def used(self) -> bool:
        """Whether anyone works with it at all. A month that is partly awake brings all that `aws.usage` declares."""
        return self.awake_hours > 0

    @property
    def share(self) -> float:
        return self.awake_hours / HOURS


def months(hours_per_week: float) -> tuple[Month, ...]:
    """The three scenarios; 168 hours a week are all of the month."""
    working = round(min(HOURS, hours_per_week * WEEKS), 2)
    return Month("always", HOURS), Month("working-hours", working), Month("parked", 0.0)


class Bill:
    """Lines in the order in which they were added."""

    def __init__(self, prices: Prices) -> None:
        self.prices = prices
        self.lines: list[CostLine] = []

    def add(self, part: Part, name: str, item: str, quantity: float, detail: str = "") -> None:
        """A line for `quantity` units of a priced item a month; none when there is no quantity."""
        quantity = round(quantity, 4)
        if quantity <= 0:
            return
        price = self.prices.of(item)
        self.lines.append(
            CostLine(
                part=part,
                name=name,
                quantity=quantity,
                unit=price.unit,
                unit_usd=price.usd,
                monthly_usd=cents(quantity, price.usd),
                source=price.source,
                dated=price.dated,
                detail=detail,
                certainty=price.certainty,
            )
        )


def cents(quantity: float, unit_usd: float) -> float:
    """Quantity × unit price to the cent, halves up: in decimal, as a bill is, not in binary."""
    exact = Decimal(str(quantity)) * Decimal(str(unit_usd))
    return float(exact.quantize(Decimal("0.01"), ROUND_HALF_UP))
