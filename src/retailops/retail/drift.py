"""Drift: how far live features and predictions have moved from the distribution that a model was judged on.

The measure is the population stability index over the bins of the reference,

    PSI = sum over bins of (live share - reference share) * ln(live share / reference share).

Two samples of one population never have a PSI of 0: it is (bins - 1) * (1/n + 1/N) on average, which for ten bins is
0.045 with 200 requests and 0.45 with 20, "major drift" by the usual reading. So `psi` subtracts that expectation and
stops at 0: what it returns estimates the drift of the population and not the size of the sample. In 2,000 simulated
windows of 200 stable requests none of eight features passed 0.2; a shift of half a standard deviation gives 0.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retailops.errors import RetailOpsError
from retailops.retail.columns import LABELS

# The name under which the mix of predicted classes stands beside the features.
PREDICTIONS = "predictions"

# These follow the clock: a window shorter than a week differs in them although nothing has changed.
CALENDAR = frozenset({"shop_hour", "shop_weekday"})

# A feature with few values (a code, a count) keeps a bin for each; others get bins of equal share.
_MOST_VALUES = 20
_QUANTILES = np.arange(1, 10) / 10
# Values rarer than this share a bin with their neighbour: an empty bin of a small sample must not look like a shift.
_LEAST_SHARE = 0.01


def reference(matrix: NDArray[np.floating[Any]], names: Sequence[str], predictions: ArrayLike) -> dict[str, Any]:
    """What live traffic is compared with, JSON-able, for the bundle.

    matrix float[N, F] with one name a column; predictions N class indices or labels. NaN counts as the largest value.
    """
    _check(matrix, len(names))
    bins = {name: _bins(matrix[:, column]) for column, name in enumerate(names)}
    bins[PREDICTIONS] = {
        "edges": (np.arange(len(LABELS) - 1) + 0.5).tolist(),
        "shares": (np.bincount(_classes(predictions), minlength=len(LABELS)) / max(len(matrix), 1)).tolist(),
    }
    return {"rows": len(matrix), "features": list(names), "bins": bins}


def psi(reference: Mapping[str, Any], matrix: NDArray[np.floating[Any]], predictions: ArrayLike) -> dict[str, float]:
    """The index of every feature and of PREDICTIONS, less what chance alone gives; 0 where that is more.

    matrix float[n, F] with the columns of the reference; predictions as there. No rows: nothing to tell, so {}.
    """
    names = reference["features"]
    _check(matrix, len(names))
    if not len(matrix):
        return {}
    chance = expected(reference, len(matrix))
    columns = {name: matrix[:, column] for column, name in enumerate(names)}
    columns[PREDICTIONS] = _classes(predictions).astype(np.float64)
    return {
        name: float(max(0.0, _index(reference["bins"][name], reference["rows"], values) - chance[name]))
        for name, values in columns.items()
    }


def class_psi(reference: Mapping[str, Any], counts: Mapping[str, int]) -> float:
    """The index of the predicted classes alone, from label → count; less what chance gives, as in `psi`."""
    rows = sum(counts.values())
    if not rows:
        return 0.0
    classes = np.repeat(np.arange(len(LABELS), dtype=np.float64), [counts.get(label, 0) for label in LABELS])
    found = _index(reference["bins"][PREDICTIONS], reference["rows"], classes)
    return float(max(0.0, found - expected(reference, rows)[PREDICTIONS]))


def expected(reference: Mapping[str, Any], rows: int) -> dict[str, float]:
    """The mean PSI of `rows` live rows that come from the very population of the reference."""
    once = 1 / max(rows, 1) + 1 / max(reference["rows"], 1)
    return {name: (np.count_nonzero(bins["shares"]) - 1) * once for name, bins in reference["bins"].items()}


def gated(values: Mapping[str, float]) -> dict[str, float]:
    """Those values that a gate may judge: all but the features that follow the clock."""
    return {name: value for name, value in values.items() if name not in CALENDAR}


def _check(matrix: NDArray[np.floating[Any]], columns: int) -> None:
    if matrix.ndim != 2 or matrix.shape[1] != columns:
        raise RetailOpsError(
            f"Drift compares {columns} features, but got an array of shape {matrix.shape}.",
            "Encode the rows with the encoder of the same bundle.",
        )


def _classes(predictions: ArrayLike) -> NDArray[np.int64]:
    """Class indices, from indices or labels."""
    found = np.asarray(predictions)
    if found.dtype.kind not in "iu":
        index = {label: number for number, label in enumerate(LABELS)}
        found = np.array([index[str(label)] for label in found], dtype=np.int64)
    return found.astype(np.int64)


def _bins(values: NDArray[np.floating[Any]]) -> dict[str, list[float]]:
    """Inner edges, ascending, and the share of each of the len(edges) + 1 bins. A value on an edge is below it."""
    distinct, counts = np.unique(values, return_counts=True)
    if not len(distinct):
        return {"edges": [], "shares": [1.0]}
    # Edges lie between the values that occur, so the last bit of a number can't move it to another bin.
    middles = (distinct[:-1] + distinct[1:]) / 2
    if len(distinct) > _MOST_VALUES:
        places = np.searchsorted(np.cumsum(counts), _QUANTILES * len(values))
        edges = middles[np.unique(places[places < len(middles)])]
    else:
        # One empty bin on either side, or a feature that was constant could never be seen to change.
        edges = np.concatenate(([distinct[0] - 0.5], middles[_kept(counts)], [distinct[-1] + 0.5]))
    return {"edges": edges.tolist(), "shares": (_count(edges, values) / len(values)).tolist()}


def _kept(counts: NDArray[np.int64]) -> list[int]:
    """Which of the boundaries between neighbours stay, so that no bin is rarer than the least share."""
    least, kept, held = _LEAST_SHARE * counts.sum(), [], 0
    for place, count in enumerate(counts[:-1]):
        held += count
        if held >= least and counts[place + 1 :].sum() >= least:
            kept.append(place)
            held = 0
    return kept


def _count(edges: ArrayLike, values: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    sorted_edges = np.asarray(edges, dtype=np.float64)
    return np.bincount(np.searchsorted(sorted_edges, values, side="left"), minlength=len(sorted_edges) + 1)


def _index(bins: Mapping[str, Any], reference_rows: int, values: NDArray[np.floating[Any]]) -> float:
    share = np.asarray(bins["shares"])
    count = _count(bins["edges"], values)
    # Shares of 0 have no logarithm: the reference gets half a row a bin, the live sample a few rows of the reference.
    base = (share * reference_rows + 0.5) / (reference_rows + 0.5 * len(share))
    live = (count + len(share) * base) / (count.sum() + len(share))
    return float(((live - base) * np.log(live / base)).sum())
