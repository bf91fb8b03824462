"""From a basket's score to the probabilities of its class: an ordered logistic link with lapses."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from retailops.retail.leanings.lines import Floats, Ints

# Scores lie in [-1, 1]; likelihoods are tabulated on a grid this fine, so a pass over lines needs no logarithm.
HALF = 8192
CELLS = 2 * HALF + 1

# Bounds of log steepness, lower threshold, log gap between the thresholds, lapse.
_BOUNDS = ((0.0, 8.5), (-1.2, 1.2), (-6.0, 0.8), (1e-4, 0.95))


@dataclass(frozen=True)
class Link:
    """P(UM) = σ(k(s − t2)), P(LA) = σ(−k(s − t1)), the rest is MM; then (1 − lapse)·P + lapse/3.

    The lapse is the share of labels that look redrawn at random: an estimate of label noise.
    """

    k: float
    t1: float
    t2: float
    lapse: float

    def outer(self, score: float) -> tuple[float, float]:
        """(P(LA), P(UM)) of one score; `Leanings.features` calls it too, so batch and online agree to the bit."""
        keep, floor = 1.0 - self.lapse, self.lapse / 3.0
        # Beyond ±700 exp overflows; the sigmoid has been 0 or 1 long before.
        below = min(self.k * (score - self.t1), 700.0)
        above = min(self.k * (self.t2 - score), 700.0)
        return keep / (1.0 + math.exp(below)) + floor, keep / (1.0 + math.exp(above)) + floor

    def probabilities(self, scores: Floats) -> Floats:
        """float64[len(scores), 3]: P(LA), P(MM), P(UM)."""
        upper = _sigmoid(self.k * (scores - self.t2))
        lower = _sigmoid(-self.k * (scores - self.t1))
        # The middle as a difference of the two tails would cancel to 0; clip where rounding makes it negative.
        middle = np.maximum(1.0 - upper - lower, 0.0)
        clean = np.stack([lower, middle, upper], axis=1)
        return (1.0 - self.lapse) * clean + self.lapse / 3.0

    def table(self) -> Floats:
        """Log-likelihoods float64[3 · CELLS], class after class, for the cells that `cell` gives."""
        grid = np.arange(-HALF, HALF + 1) / HALF
        logs: Floats = np.log(self.probabilities(grid)).T
        return np.ascontiguousarray(logs).ravel()


def cell(scores: Floats) -> Ints:
    """The cell of each score in `Link.table`, int32."""
    cells = (scores * HALF + (HALF + 0.5)).astype(np.int32)
    return np.clip(cells, 0, CELLS - 1, out=cells)


def fit_link(scores: Floats, y: Ints, start: Link | None = None) -> tuple[Link, float]:
    """The link of highest likelihood for scores float64[B] and classes int[B], and its mean log-likelihood.

    Works on a histogram of the scores, so the cost hardly depends on B. All three classes must occur.
    """
    from scipy.optimize import minimize

    counts = np.bincount(cell(scores) + y * CELLS, minlength=3 * CELLS).reshape(3, CELLS).T.astype(np.float64)
    used = np.flatnonzero(counts.sum(axis=1))
    grid, shares = (used - HALF) / HALF, counts[used] / len(scores)

    def loss(x: Floats) -> tuple[float, Floats]:
        return _loss(x, grid, shares)

    if start is None:
        low, high = np.quantile(scores, [np.mean(y == 0), 1.0 - np.mean(y == 2)])
        start = Link(k=10.0, t1=float(low), t2=float(max(high, low + 0.05)), lapse=0.05)
    bounds = np.array(_BOUNDS)
    x0 = np.clip([math.log(start.k), start.t1, math.log(start.t2 - start.t1), start.lapse], bounds[:, 0], bounds[:, 1])
    found = minimize(loss, x0, jac=True, method="L-BFGS-B", bounds=_BOUNDS, options={"ftol": 1e-10, "maxiter": 200})
    return _from(found.x), -float(found.fun)


def _from(x: Floats) -> Link:
    return Link(k=math.exp(x[0]), t1=float(x[1]), t2=float(x[1]) + math.exp(x[2]), lapse=float(x[3]))


def _loss(x: Floats, grid: Floats, shares: Floats) -> tuple[float, Floats]:
    """Mean negative log-likelihood and its gradient, for shares float64[cells, 3] of all baskets at scores `grid`."""
    link, gap = _from(x), math.exp(x[2])
    keep = 1.0 - link.lapse
    lower, upper = _sigmoid(-link.k * (grid - link.t1)), _sigmoid(link.k * (grid - link.t2))
    p = link.probabilities(grid)
    pull = shares / p  # d/dp of the log-likelihood
    by_lower = keep * (pull[:, 0] - pull[:, 1]) * lower * (1.0 - lower)
    by_upper = keep * (pull[:, 2] - pull[:, 1]) * upper * (1.0 - upper)
    by_k = np.sum(by_upper * (grid - link.t2)) - np.sum(by_lower * (grid - link.t1))
    by_t1, by_t2 = link.k * np.sum(by_lower), -link.k * np.sum(by_upper)
    by_lapse = np.sum(pull * (1.0 / 3.0 - p)) / keep  # p = keep · clean + lapse / 3
    gradient = np.array([by_k * link.k, by_t1 + by_t2, by_t2 * gap, by_lapse])
    return -float(np.sum(shares * np.log(p))), -gradient


def _sigmoid(z: Floats) -> Floats:
    half: Floats = 0.5 * (1.0 + np.tanh(0.5 * z))
    return half
