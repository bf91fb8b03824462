"""The learning: products' leanings from baskets' labels, the weight of a line, and features out of fold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from retailops.errors import DataError, RetailOpsError
from retailops.progress import Progress, Silent
from retailops.retail import columns
from retailops.retail.leanings.lines import WEIGHTS, Catalogue, Floats, Ints, Lines, summed
from retailops.retail.leanings.link import CELLS, Link, cell, fit_link
from retailops.retail.leanings.model import FEATURES, Leanings
from retailops.retail.leanings.prior import PriorFit
from retailops.retail.leanings.solve import conjugate_gradients

_VALUES = (-1.0, 0.0, 1.0, 0.0)  # of LA, MM, UM, no say …
_SAYS = (1.0, 1.0, 1.0, 0.0)  # … and whether it counts
_ALPHA = 0.5  # ridge strength of the first guess, in baskets
_UPDATED = 0.6  # share of products updated a sweep: all at once would chase one another
_LAST = 2  # sweeps at the end that update every product
_WEIGHT_BASKETS = 40_000  # enough to tell the weights apart
_WEIGHT_SWEEPS = 8
_TINY = 1e-9  # a balance of less weight than this is no balance


def fit(
    lines: Lines,
    y: Ints,
    catalogue: Catalogue,
    *,
    seed: int = 7,
    sweeps: int = 14,
    weight: str | None = None,
    progress: Progress | None = None,
) -> Leanings:
    """Learn from the lines of baskets and their classes int[baskets], indices into LABELS.

    `weight` None: chosen by held-out likelihood. The same seed gives the same leanings, whatever the machine's cores.
    DataError when a class has no basket.
    """
    _check(lines, y, at_least=1)
    progress = progress or Silent()
    if weight is None:
        weight = choose_weight(lines, y, catalogue, seed=seed, progress=progress)
    progress.stage("Learning leanings", total=sweeps, unit="sweeps")
    return _learn(lines, y, catalogue, weight, seed, sweeps, _Ticks(progress))


def fit_out_of_fold(
    lines: Lines,
    y: Ints,
    catalogue: Catalogue,
    *,
    folds: int = 5,
    seed: int = 7,
    sweeps: int = 14,
    weight: str | None = None,
    progress: Progress | None = None,
) -> tuple[Leanings, Floats]:
    """The leanings of all baskets, and features float64[baskets, F] from leanings that never saw the basket's label.

    Train a classifier on the latter and serve it with the former. The line weight is chosen once, for all folds.
    DataError when a class has fewer baskets than folds.
    """
    _check(lines, y, at_least=folds)
    progress = progress or Silent()
    if weight is None:
        weight = choose_weight(lines, y, catalogue, seed=seed, progress=progress)
    fold = _folds(y, folds, seed)
    result = np.empty((lines.baskets, len(FEATURES)))
    progress.stage("Learning leanings", total=sweeps * (folds + 1), unit="sweeps")
    tick = _Ticks(progress)
    for i in range(folds):
        out = fold == i
        part = _learn(lines.take(~out), y[~out], catalogue, weight, seed, sweeps, tick)
        result[out] = part.features(lines.take(out), part.posteriors(catalogue)[0])
    return _learn(lines, y, catalogue, weight, seed, sweeps, tick), result


def choose_weight(
    lines: Lines, y: Ints, catalogue: Catalogue, *, seed: int = 7, progress: Progress | None = None
) -> str:
    """The line weight under which leanings learned on four fifths best explain the labels of the rest."""
    likelihoods = weight_likelihoods(lines, y, catalogue, seed=seed, progress=progress)
    return max(likelihoods, key=lambda weight: likelihoods[weight])


def weight_likelihoods(
    lines: Lines, y: Ints, catalogue: Catalogue, *, seed: int = 7, progress: Progress | None = None
) -> dict[str, float]:
    """Line weight → mean log-likelihood of the labels of a held-out fifth of the baskets, given leanings of the rest.

    Baskets beyond 40,000 aren't needed and are left out, at random.
    """
    _check(lines, y, at_least=2)
    progress = progress or Silent()
    progress.stage("Choosing the weight of a line", total=len(WEIGHTS) * _WEIGHT_SWEEPS, unit="sweeps")
    tick = _Ticks(progress)
    if lines.baskets > _WEIGHT_BASKETS:
        parts = -(-lines.baskets // _WEIGHT_BASKETS)
        few = _folds(y, parts, seed + 1) == 0
        if len(np.unique(y[few])) == len(columns.LABELS):
            lines, y = lines.take(few), y[few]
    out = _folds(y, 5, seed + 2) == 0
    kept, held = lines.take(~out), lines.take(out)
    likelihoods = []
    for weight in WEIGHTS:
        part = _learn(kept, y[~out], catalogue, weight, seed, _WEIGHT_SWEEPS, tick)
        scores = part.features(held, part.posteriors(catalogue)[0])[:, 0]
        # The link is fitted anew: in-sample it is too sure of itself with few baskets, each weight to its own degree.
        likelihoods.append(fit_link(scores, y[out], part.link)[1])
    best = WEIGHTS[int(np.argmax(likelihoods))]
    told = ", ".join(f"{w} {each:.4f}" for w, each in zip(WEIGHTS, likelihoods, strict=True))
    progress.note(f"A line weighs by: {best} (held-out log-likelihood a basket: {told})")
    return dict(zip(WEIGHTS, likelihoods, strict=True))


class _Ticks:
    """Counts sweeps over several fits for one progress bar."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._done = progress, 0

    def __call__(self) -> None:
        self._done += 1
        self._progress.advance(self._done)


def _learn(
    lines: Lines, y: Ints, catalogue: Catalogue, weight: str, seed: int, sweeps: int, tick: Callable[[], None]
) -> Leanings:
    """Sweeps of: balance of each basket, link, likelihood of every leaning of every product, prior, posterior."""
    rng = np.random.default_rng(seed)
    y = y.astype(np.int32)
    counts = np.bincount(lines.product, minlength=len(catalogue))
    seen = counts > 0
    posterior = _first_guess(lines, y, len(catalogue), weight)
    attributes = PriorFit(catalogue, counts)
    link: Link | None = None
    for sweep in range(sweeps):
        value, say = _balances(lines, posterior, weight)
        link, _ = fit_link(_score(value, say), y, link)
        likelihood = _likelihoods(lines, y, posterior, weight, link, value, say)
        logits = likelihood + attributes.refit(posterior)
        logits -= logits.max(axis=1, keepdims=True)
        new = np.exp(logits)
        new /= new.sum(axis=1, keepdims=True)
        update = (rng.random(len(catalogue)) < _UPDATED) | (sweep >= sweeps - _LAST) | ~seen
        posterior[update] = new[update]
        tick()
    value, say = _balances(lines, posterior, weight)
    link, _ = fit_link(_score(value, say), y, link)
    codes = tuple(str(code) for code in np.asarray(catalogue.codes)[seen])
    return Leanings(weight, link, codes, posterior[seen], attributes.prior())


def _first_guess(lines: Lines, y: Ints, products: int, weight: str) -> Floats:
    """Soft posteriors from a ridge regression of the label's value on the products' shares of their basket."""
    from scipy.sparse import csr_array

    w = lines.weights(weight)
    total = summed(lines.basket, w, lines.baskets)
    w /= np.maximum(total, _TINY)[lines.basket]
    ends = np.searchsorted(lines.basket, np.arange(lines.baskets + 1))
    shares = csr_array((w, lines.product, ends), shape=(lines.baskets, products))
    value = np.clip(_ridge(shares, y.astype(np.float64) - 1.0), -0.95, 0.95)
    up, down = np.maximum(value, 0.0), np.maximum(-value, 0.0)
    return np.stack([down, 1.0 - up - down, up, np.zeros(products)], axis=1) * 0.9 + 0.025


def _ridge(x: Any, target: Floats) -> Floats:
    """(xᵀx + alpha)⁻¹ xᵀ(target − mean) + mean."""
    transposed, mean = x.T, target.mean()

    def normal(v: Floats) -> Floats:
        return np.asarray(transposed @ (x @ v) + _ALPHA * v)

    found: Floats = mean + conjugate_gradients(normal, transposed @ (target - mean), steps=60, precision=1e-5)
    return found


def _balances(lines: Lines, posterior: Floats, weight: str) -> tuple[Floats, Floats]:
    """Per basket: Σ weight · E[value] and Σ weight · E[has a say]."""
    value, say = np.zeros(lines.baskets), np.zeros(lines.baskets)
    values, says = posterior[:, 2] - posterior[:, 0], 1.0 - posterior[:, 3]
    for rows, baskets in lines.chunks():
        basket, size = lines.basket[rows] - np.int32(baskets.start), baskets.stop - baskets.start
        product, w = lines.product[rows], lines.weights(weight, rows)
        value[baskets] = summed(basket, w * values[product], size)
        say[baskets] = summed(basket, w * says[product], size)
    return value, say


def _score(value: Floats, say: Floats) -> Floats:
    return np.asarray(value / np.maximum(say, _TINY))


def _likelihoods(
    lines: Lines, y: Ints, posterior: Floats, weight: str, link: Link, value: Floats, say: Floats
) -> Floats:
    """float64[P, 4]: log-likelihood of the labels of each product's baskets if it leant to each candidate for sure.

    The basket's other lines stay at their expectation.
    """
    products = len(posterior)
    result = np.zeros((4, products))
    table, offset = link.table(), (y * CELLS).astype(np.int32)
    values, says = posterior[:, 2] - posterior[:, 0], 1.0 - posterior[:, 3]
    for rows, _ in lines.chunks(at_least=4 * products):
        basket, product, w = lines.basket[rows], lines.product[rows], lines.weights(weight, rows)
        others = value[basket] - w * values[product]
        voices = say[basket] - w * says[product]
        at = offset[basket]
        for c in range(4):
            score = (others + w * _VALUES[c]) / np.maximum(voices + w * _SAYS[c], _TINY)
            result[c] += summed(product, table[cell(score) + at], products)
    return result.T


def _folds(y: Ints, folds: int, seed: int) -> Ints:
    """The fold 0..folds-1 of each basket: random, and every class spread evenly."""
    rng = np.random.default_rng(seed)
    fold = np.empty(len(y), dtype=np.int64)
    for c in range(len(columns.LABELS)):
        members = np.flatnonzero(y == c)
        fold[rng.permutation(members)] = np.arange(len(members)) % folds
    return fold


def _check(lines: Lines, y: Ints, at_least: int) -> None:
    if len(y) != lines.baskets:
        raise RetailOpsError(f"There are {lines.baskets} baskets but {len(y)} labels.")
    counts = [int(np.sum(y == c)) for c in range(len(columns.LABELS))]
    if sum(counts) != len(y):
        raise RetailOpsError(f"Labels must be 0..{len(columns.LABELS) - 1}.", "Drop unclassified baskets first.")
    told = ", ".join(f"{label} {count}" for label, count in zip(columns.LABELS, counts, strict=True))
    if min(counts) < at_least:
        raise DataError(
            f"Leanings need at least {at_least} training baskets of each class of {columns.LABEL}; there are: {told}.",
            "Use more weeks or a larger file.",
        )
