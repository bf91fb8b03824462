"""From a basket's score to the probabilities of its class: an ordered logistic link with lapses."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from retailops.retail.leanings.lines import Floats, Ints
from retailops.retail.leanings.solve import conjugate_gradients

# Scores lie in [-1, 1]; likelihoods are tabulated on a grid this fine, so a pass over lines needs no logarithm.
HALF = 8192
CELLS = 2 * HALF + 1

# Bounds of log steepness, lower threshold, log gap between the thresholds, lapse.
_BOUNDS = ((0.0, 8.5), (-1.2, 1.2), (-6.0, 0.8), (1e-4, 0.95))
_STEPS = 100


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
    Damped Fisher scoring; `start` saves steps.
    """
    counts = np.bincount(cell(scores) + y * CELLS, minlength=3 * CELLS).reshape(3, CELLS).T
    used = np.flatnonzero(counts.sum(axis=1))
    grid, shares = (used - HALF) / HALF, counts[used] / len(scores)
    low, high = np.array(_BOUNDS).T
    x = np.clip(_start(scores, y, start), low, high)
    loss, gradient, fisher = _slope(x, grid, shares)
    damping = 1e-3
    for _ in range(_STEPS):
        outwards = ((x <= low) & (gradient > 0.0)) | ((x >= high) & (gradient < 0.0))
        trial = np.clip(x + _step(fisher, np.where(outwards, 0.0, -gradient), damping), low, high)
        lower = _slope(trial, grid, shares)
        gain = loss - lower[0]
        if gain > 0.0:
            x, (loss, gradient, fisher) = trial, lower
            damping = max(damping / 5.0, 1e-6)
        else:
            damping *= 5.0
        if 0.0 <= gain < 1e-9 or damping > 1e6:
            break
    return _from(x), -loss


def _start(scores: Floats, y: Ints, start: Link | None) -> Floats:
    """Where to begin: log k, t1, log(t2 − t1), lapse."""
    if start is None:
        low, high = np.quantile(scores, [np.mean(y == 0), 1.0 - np.mean(y == 2)])
        start = Link(k=10.0, t1=float(low), t2=float(max(high, low + 0.05)), lapse=0.05)
    k = min(start.k, 50.0)  # a step has no slope to follow, so begin with a gentler one
    return np.array([math.log(k), start.t1, math.log(start.t2 - start.t1), max(start.lapse, 0.01)])


def _slope(x: Floats, grid: Floats, shares: Floats) -> tuple[float, Floats, Floats]:
    """Mean negative log-likelihood, its gradient [4] and Fisher information [4, 4].

    `shares` float64[cells, 3] are the shares of all baskets at each score of `grid` and of each class.
    """
    link, gap = _from(x), math.exp(x[2])
    keep = 1.0 - link.lapse
    lower, upper = _sigmoid(-link.k * (grid - link.t1)), _sigmoid(link.k * (grid - link.t2))
    p = link.probabilities(grid)
    fall, rise = keep * link.k * lower * (1.0 - lower), keep * link.k * upper * (1.0 - upper)
    nothing = np.zeros_like(grid)
    # Derivatives of (lower, upper) by the four parameters, then of the three classes.
    by_lower = np.stack([-(grid - link.t1) * fall, fall, nothing, nothing])
    by_upper = np.stack([(grid - link.t2) * rise, -rise, -gap * rise, nothing])
    slopes = np.stack([by_lower, -by_lower - by_upper, by_upper], axis=2)
    slopes[3] += (1.0 / 3.0 - p) / keep  # p = keep · clean + lapse / 3
    gradient = -np.sum(slopes * (shares / p), axis=(1, 2))
    expected = slopes * (shares.sum(axis=1, keepdims=True) / p)
    fisher = np.array([[np.sum(expected[i] * slopes[j]) for j in range(4)] for i in range(4)])
    return -float(np.sum(shares * np.log(p))), gradient, fisher


def _step(fisher: Floats, downhill: Floats, damping: float) -> Floats:
    matrix = fisher + np.diag(damping * np.diag(fisher) + 1e-9)
    scale = 1.0 / np.sqrt(np.diag(matrix))  # the parameters have different units
    matrix = matrix * scale * scale[:, None]
    found = conjugate_gradients(lambda d: np.sum(matrix * d, axis=1), downhill * scale, steps=8, precision=1e-8)
    return np.asarray(found * scale)


def _from(x: Floats) -> Link:
    return Link(k=math.exp(x[0]), t1=float(x[1]), t2=float(x[1]) + math.exp(x[2]), lapse=float(x[3]))


def _sigmoid(z: Floats) -> Floats:
    half: Floats = 0.5 * (1.0 + np.tanh(0.5 * z))
    return half
