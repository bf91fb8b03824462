"""The input of the leanings: the products that occur, and the lines of baskets, as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retailops.errors import RetailOpsError

Floats = NDArray[np.float64]
Ints = NDArray[np.integer]
Bools = NDArray[np.bool_]

# What one line weighs in its basket. Which of them a retailer's labels follow is learned, see `fit.choose_weight`.
WEIGHTS = ("one", "quantity", "spend")

# Lines worked on at once: temporaries of this length stay in the processor's cache, and memory stays bounded.
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Catalogue:
    """The products that occur; all arrays have the same length P, and codes are unique.

    codes       P strings
    attributes  column name -> P strings; None or "" where unknown. Coarse and fine groupings in any order
    unit_pence  P median unit prices in pence; ≤ 0 or NaN where unknown
    """

    codes: NDArray[np.object_] | NDArray[np.str_]
    attributes: Mapping[str, NDArray[np.object_] | NDArray[np.str_]]
    unit_pence: Floats

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True)
class Lines:
    """Lines of baskets, sorted by basket and then by product code.

    basket       int32[N] in 0..baskets-1, nondecreasing
    product      int32[N] index into a Catalogue
    quantity     int64[N]
    spend_pence  int64[N]
    baskets      number of baskets; one without lines is allowed
    """

    basket: NDArray[np.int32]
    product: NDArray[np.int32]
    quantity: NDArray[np.int64]
    spend_pence: NDArray[np.int64]
    baskets: int

    def __post_init__(self) -> None:
        lengths = {len(self.basket), len(self.product), len(self.quantity), len(self.spend_pence)}
        if len(lengths) != 1:
            raise RetailOpsError(f"The columns of Lines have different lengths: {sorted(lengths)}.")
        if len(self.basket) and (self.basket[-1] >= self.baskets or self.basket[0] < 0):
            raise RetailOpsError(f"Lines name baskets outside 0..{self.baskets - 1}.")
        if np.any(self.basket[1:] < self.basket[:-1]):
            raise RetailOpsError("Lines must be sorted by basket.", "Sort the rows by basket and product code.")

    def __len__(self) -> int:
        return len(self.basket)

    def take(self, mask: Bools) -> Lines:
        """The lines of the baskets where bool[baskets] `mask` is true, renumbered 0.. in the same order."""
        number = np.cumsum(mask, dtype=np.int32) - np.int32(1)
        rows = mask[self.basket]
        return Lines(
            basket=number[self.basket[rows]],
            product=self.product[rows],
            quantity=self.quantity[rows],
            spend_pence=self.spend_pence[rows],
            baskets=int(mask.sum()),
        )

    def weights(self, weight: str, rows: slice = slice(None)) -> Floats:
        """What each line weighs, float64. A line that was given back (≤ 0) weighs nothing."""
        if weight == "one":
            return np.ones(len(self.basket[rows]))
        if weight == "quantity":
            return np.maximum(self.quantity[rows], 0).astype(np.float64)
        if weight == "spend":
            return np.maximum(self.spend_pence[rows], 0).astype(np.float64)
        raise RetailOpsError(f"Unknown line weight {weight!r}.", f"Weights: {', '.join(WEIGHTS)}.")

    def chunks(self, at_least: int = 0) -> Iterator[tuple[slice, slice]]:
        """(rows, baskets) slices that cover everything, no basket cut in two, each of about 65,000 rows."""
        step = max(_CHUNK, at_least)
        row, first = 0, 0
        while row < len(self):
            if row + step >= len(self):
                end, last = len(self), self.baskets
            else:
                last = int(self.basket[row + step])  # this basket starts the next chunk …
                if last == first:  # … unless it is longer than a chunk
                    last += 1
                end = int(np.searchsorted(self.basket, np.int32(last), side="left"))
            yield slice(row, end), slice(first, last)
            row, first = end, last


def summed(group: NDArray[np.int32], values: Floats, groups: int) -> Floats:
    """float64[groups]: the sum of each group's values, added one by one in their order, unlike numpy's own sums."""
    return np.bincount(group, weights=values, minlength=groups).astype(np.float64, copy=False)
