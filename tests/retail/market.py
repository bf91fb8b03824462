"""A small planted market: products with a known leaning, baskets labelled by the balance of their lines."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from retailops.retail.leanings import Catalogue, Lines
from retailops.retail.leanings.lines import Floats, Ints

VALUES = np.array([-1.0, 0.0, 1.0, 0.0])


@dataclass(frozen=True)
class Market:
    catalogue: Catalogue
    truth: Ints  # [products] 0 LA, 1 MM, 2 UM, 3 no say
    lines: Lines
    y: Ints

    def split(self, baskets: int) -> tuple[Market, Market]:
        """The first `baskets` baskets, and the rest."""
        first = np.arange(self.lines.baskets) < baskets
        return (
            replace(self, lines=self.lines.take(first), y=self.y[first]),
            replace(self, lines=self.lines.take(~first), y=self.y[~first]),
        )

    def with_noise(self, share: float, seed: int = 5) -> Market:
        rng = np.random.default_rng(seed)
        redrawn = rng.random(len(self.y)) < share
        return replace(self, y=np.where(redrawn, rng.integers(0, 3, len(self.y)), self.y))


def market(baskets: int = 4000, products: int = 80, weight: str = "one", seed: int = 1) -> Market:
    rng = np.random.default_rng(seed)
    truth = rng.choice(4, size=products, p=[0.25, 0.4, 0.25, 0.1])
    category = rng.integers(0, 8, products)
    usual = np.array([60, 90, 120, 150, 200, 240, 300, 500])[category]
    # Products of the first class are cheap for their category, those of the last dear.
    unit = np.round(usual * np.array([0.7, 1.0, 1.5, 1.0])[truth] * rng.uniform(0.9, 1.1, products))
    catalogue = Catalogue(
        codes=np.array([f"P{i:04d}" for i in range(products)], dtype=object),
        attributes={
            "fine": np.array([f"F{c}" for c in category], dtype=object),
            "coarse": np.array([f"C{c // 4}" for c in category], dtype=object),
        },
        unit_pence=unit.astype(np.float64),
    )
    sizes = rng.integers(1, 13, baskets)
    basket = np.repeat(np.arange(baskets, dtype=np.int32), sizes)
    # A shopper's taste makes baskets lean, so that every class occurs.
    taste = rng.normal(size=baskets)[basket, None] * VALUES[truth][None, :] * 0.7
    product = np.argmax(taste + rng.gumbel(size=(len(basket), products)), axis=1)
    keys = np.unique(np.stack([basket, product], axis=1), axis=0)
    basket, product = keys[:, 0].astype(np.int32), keys[:, 1].astype(np.int32)
    quantity = rng.choice([1, 3, 4, 9], size=len(basket), p=[0.6, 0.2, 0.1, 0.1])
    spend = (quantity * catalogue.unit_pence[product]).astype(np.int64)
    lines = Lines(basket, product, quantity.astype(np.int64), spend, baskets)
    score = balance(lines, truth, weight)
    return Market(catalogue, truth, lines, np.where(score < -0.23, 0, np.where(score > 0.19, 2, 1)))


def balance(lines: Lines, truth: Ints, weight: str) -> Floats:
    w = lines.weights(weight)
    value = np.bincount(lines.basket, w * VALUES[truth][lines.product], lines.baskets)
    say = np.bincount(lines.basket, w * (truth != 3)[lines.product], lines.baskets)
    return np.asarray(value / np.maximum(say, 1e-9))
