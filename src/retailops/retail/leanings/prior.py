"""The prior over leanings: what a product's attributes, price and popularity say before any label has spoken."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from retailops.retail.leanings.lines import Catalogue, Floats, Ints
from retailops.retail.leanings.solve import conjugate_gradients

Posterior = tuple[float, float, float, float]  # LA, MM, UM, no say; sums to 1

NO_SAY: Posterior = (0.0, 0.0, 0.0, 1.0)

_RIDGE = 1.0  # L2 strength of the logistic regression, in products: one product is worth as much as the penalty
_CAP = 2.0  # prices and counts beyond e² times the usual, either way, say no more
_PRICES = 2  # the price is compared within this many of the finest groupings


@dataclass(frozen=True)
class Prior:
    """A multinomial logistic regression on groupings (one weight vector a value) and relative prices.

    attributes  names of the groupings, from the finest to the coarsest
    values      grouping -> value -> 4 log weights
    medians     grouping -> value -> median unit price in pence, for the groupings that prices are compared in
    price       grouping -> 4 log weights per unit of log(unit price / median)
    base        4 log weights of any product; it has never been seen, so it counts as popular as the rarest one seen
    """

    attributes: tuple[str, ...]
    base: tuple[float, ...]
    values: Mapping[str, Mapping[str, tuple[float, ...]]]
    medians: Mapping[str, Mapping[str, float]]
    price: Mapping[str, tuple[float, ...]]

    def of(self, attributes: Mapping[str, str | None], unit_pence: float) -> Posterior:
        """The leaning of a product nobody has seen; `NO_SAY` when none of its attributes is known."""
        logits, known = list(self.base), False
        for name in self.attributes:
            value = attributes.get(name)
            weights = self.values[name].get(value) if value else None
            if weights is None or value is None:
                continue
            known = True
            for c in range(4):
                logits[c] += weights[c]
            median = self.medians[name].get(value) if name in self.medians else None
            if median is not None:
                ratio = relative(unit_pence, median)
                for c in range(4):
                    logits[c] += ratio * self.price[name][c]
        return _softmax(logits) if known else NO_SAY

    def to_json(self) -> dict[str, Any]:
        return {
            "attributes": list(self.attributes),
            "base": list(self.base),
            "values": {name: {value: list(w) for value, w in table.items()} for name, table in self.values.items()},
            "medians": {name: dict(table) for name, table in self.medians.items()},
            "price": {name: list(w) for name, w in self.price.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Prior:
        return cls(
            attributes=tuple(data["attributes"]),
            base=tuple(data["base"]),
            values={name: {value: tuple(w) for value, w in table.items()} for name, table in data["values"].items()},
            medians={name: dict(table) for name, table in data["medians"].items()},
            price={name: tuple(w) for name, w in data["price"].items()},
        )


def relative(unit_pence: float, median: float) -> float:
    """log(unit price / median), capped; 0, "as usual", where either is unknown."""
    if not (unit_pence > 0.0 and median > 0.0):
        return 0.0
    return min(max(math.log(unit_pence / median), -_CAP), _CAP)


class PriorFit:
    """The prior while it is being learned: the design matrix of a catalogue, refitted to posteriors again and again.

    `counts` int[P]: on how many training lines each product stands. Retailers decide about products that sell: on real
    rows seven in eight of the rarer products are in the middle, and fewer than half of the most popular. No label is
    needed to see that, so it helps most when baskets are few.
    """

    def __init__(self, catalogue: Catalogue, counts: Ints) -> None:
        self._columns: list[tuple[str, str]] = []  # ("base"|"popularity"|"price"|grouping, value) of each column
        self._popularity = _popularity(counts)
        self.names = _finest_first(catalogue)
        self.medians = {name: _medians(catalogue, name) for name in self.names[:_PRICES]}
        self._matrix = self._design(catalogue)
        self._transposed = self._matrix.T.tocsr()
        self._weights = np.zeros((len(self._columns), 4))
        self._penalty = np.full((len(self._columns), 1), _RIDGE)
        self._penalty[0] = 1e-3  # the base rate isn't shrunk

    def _design(self, catalogue: Catalogue) -> Any:
        from scipy.sparse import csr_array

        rows, cols, data = [np.arange(len(catalogue))], [np.zeros(len(catalogue), np.int64)], [np.ones(len(catalogue))]
        self._columns.append(("base", ""))
        for name in self.names:
            index: dict[str, int] = {}
            for value in sorted({v for v in catalogue.attributes[name] if v}):
                index[value] = len(self._columns)
                self._columns.append((name, value))
            found = np.array([index.get(v, -1) if v else -1 for v in catalogue.attributes[name]])
            rows.append(np.flatnonzero(found >= 0))
            cols.append(found[found >= 0])
            data.append(np.ones(len(rows[-1])))
        for name, table in self.medians.items():
            ratios = [
                relative(float(unit), table.get(v, 0.0)) if v else 0.0
                for unit, v in zip(catalogue.unit_pence, catalogue.attributes[name], strict=True)
            ]
            rows.append(np.arange(len(catalogue)))
            cols.append(np.full(len(catalogue), len(self._columns)))
            data.append(np.array(ratios))
            self._columns.append(("price", name))
        for power in (1, 2):
            rows.append(np.arange(len(catalogue)))
            cols.append(np.full(len(catalogue), len(self._columns)))
            data.append(self._popularity**power)
            self._columns.append(("popularity", str(power)))
        shape = (len(catalogue), len(self._columns))
        return csr_array((np.concatenate(data), (np.concatenate(rows), np.concatenate(cols))), shape=shape)

    def refit(self, posterior: Floats, steps: int = 2) -> Floats:
        """Improve the fit to posteriors float64[P, 4] as soft targets; gives the log prior, float64[P, 4].

        Newton steps from where the last call ended. A few are enough, for the posteriors are about to move too.
        """
        x, transposed, penalty = self._matrix, self._transposed, self._penalty
        logs = _log_softmax(x @ self._weights)
        for _ in range(steps):
            p = np.exp(logs)
            downhill = transposed @ (posterior - p) - penalty * self._weights

            def curvature(d: Floats, p: Floats = p) -> Floats:
                moved = x @ d
                moved -= np.sum(p * moved, axis=1, keepdims=True)
                image: Floats = transposed @ (p * moved) + penalty * d
                return image

            step = conjugate_gradients(curvature, downhill, steps=20, precision=1e-3)
            before = self._loss(logs, posterior, self._weights)
            for halving in range(6):
                weights = self._weights + step * 0.5**halving
                trial = _log_softmax(x @ weights)
                if self._loss(trial, posterior, weights) <= before:
                    self._weights, logs = weights, trial
                    break
        return logs

    def _loss(self, logs: Floats, posterior: Floats, weights: Floats) -> float:
        return float(0.5 * np.sum(self._penalty * weights * weights) - np.sum(posterior * logs))

    def prior(self) -> Prior:
        """The prior as last fitted."""
        values: dict[str, dict[str, tuple[float, ...]]] = {name: {} for name in self.names}
        price: dict[str, tuple[float, ...]] = {}
        base = np.zeros(4)
        rarest = float(self._popularity.min(initial=0.0))
        for (kind, value), weights in zip(self._columns, self._weights.tolist(), strict=True):
            if kind == "base":
                base += weights
            elif kind == "popularity":
                base += np.array(weights) * rarest ** int(value)
            elif kind == "price":
                price[value] = tuple(weights)
            else:
                values[kind][value] = tuple(weights)
        return Prior(tuple(self.names), tuple(base.tolist()), values, self.medians, price)


def _finest_first(catalogue: Catalogue) -> list[str]:
    sizes = {name: len({v for v in values if v}) for name, values in catalogue.attributes.items()}
    return sorted(sizes, key=lambda name: (-sizes[name], name))


def _popularity(counts: Ints) -> Floats:
    """float64[P]: log counts, centred, capped; a product without a count is taken for the rarest that has one.

    Not scaled by their spread: where products sell almost alike, popularity should hardly count. Nothing may be
    extrapolated beyond what was seen, for the square is a column too.
    """
    if not counts.any():
        return np.zeros(len(counts))
    logs = np.log(np.maximum(counts, counts[counts > 0].min()))
    return np.asarray(np.clip(logs - logs.mean(), -_CAP, _CAP))


def _medians(catalogue: Catalogue, name: str) -> dict[str, float]:
    groups: dict[str, list[float]] = {}
    for value, unit in zip(catalogue.attributes[name], catalogue.unit_pence.tolist(), strict=True):
        if value and unit > 0.0:
            groups.setdefault(str(value), []).append(unit)
    return {value: float(np.median(units)) for value, units in sorted(groups.items())}


def _log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


def _softmax(logits: list[float]) -> Posterior:
    top = max(logits)
    la, mm, um, none = (math.exp(each - top) for each in logits)
    total = la + mm + um + none
    return la / total, mm / total, um / total, none / total
