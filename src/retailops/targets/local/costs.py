"""Floor 4, local: one's own machine costs nothing that we could know of."""

from __future__ import annotations

from retailops.errors import Unsupported
from retailops.ports import Advice, Estimate, Spend


class LocalCosts:
    """No line: nothing is rented."""

    def estimates(self) -> list[Estimate]:
        return [Estimate("always", ())]

    def advice(self) -> list[Advice]:
        return []

    def live(self) -> Spend:
        raise Unsupported("The target local has no bill.", "aws has: set `target: aws`.")
