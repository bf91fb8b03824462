"""How good predictions are, one basket one vote, and what the mistakes would cost in prices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from retailops.retail.columns import LABELS, TIERS

Scorecard = dict[str, Any]


def score(truth: NDArray[Any], predicted: NDArray[Any], spend: NDArray[Any]) -> Scorecard:
    """Compare predictions with the truth.

    truth, predicted: int[B], indices into LABELS. spend: [B], any unit of money, the weight of the pricing error.

    pricing_error is the spend-weighted mean of |tier(predicted) - tier(true)| with LA = +1, MM = 0, UM = -1: how many
    price tiers a pound was priced off. It stands beside the same figure for one price for all (everyone MM), and the
    change against it. A class that is never predicted has precision 0.
    """
    size = len(LABELS)
    confusion = np.bincount(truth * size + predicted, minlength=size * size).reshape(size, size)
    hits = np.diag(confusion).astype(float)
    precision = _ratio(hits, confusion.sum(axis=0))
    recall = _ratio(hits, confusion.sum(axis=1))
    f1 = _ratio(2 * precision * recall, precision + recall)
    error, one_price = _pricing_error(truth, predicted, spend)
    return {
        "baskets": len(truth),
        "labels": list(LABELS),
        "accuracy": float(hits.sum() / max(1, len(truth))),
        "macro_f1": float(f1.mean()),
        "precision": _by_label(precision),
        "recall": _by_label(recall),
        "f1": _by_label(f1),
        "confusion": confusion.tolist(),
        "pricing_error": error,
        "pricing_error_everyone_mm": one_price,
        "pricing_error_change": error / one_price - 1 if one_price else 0.0,
    }


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.divide(part, whole, out=np.zeros(len(LABELS)), where=whole > 0)
    return found


def _by_label(values: NDArray[Any]) -> dict[str, float]:
    return {label: float(value) for label, value in zip(LABELS, values, strict=True)}


def _pricing_error(truth: NDArray[Any], predicted: NDArray[Any], spend: NDArray[Any]) -> tuple[float, float]:
    tier = np.array([TIERS[label] for label in LABELS])
    # Refunds have a negative spend; a basket can't weigh less than nothing.
    weight = np.maximum(np.asarray(spend, dtype=float), 0.0)
    total = weight.sum()
    if total <= 0:
        return 0.0, 0.0
    off = np.abs(tier[predicted] - tier[truth])
    return float(weight @ off / total), float(weight @ np.abs(tier[truth]) / total)


def majority(train: NDArray[Any], truth: NDArray[Any], spend: NDArray[Any]) -> Scorecard:
    """The scorecard of always saying the class that is commonest in training."""
    commonest = int(np.bincount(train, minlength=len(LABELS)).argmax())
    return score(truth, np.full(len(truth), commonest), spend)
