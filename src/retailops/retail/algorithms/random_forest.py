"""A random forest: many trees on re-drawn baskets and features, averaged."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retailops.retail.algorithms import onnx_graph, trees
from retailops.retail.algorithms.space import Dimension, Integer, Real
from retailops.retail.checkpoint import NOWHERE, Checkpoint

DEFAULTS: Mapping[str, Any] = {
    "n_estimators": 100,
    "max_depth": 14,
    "min_samples_leaf": 5,
    "max_features": 0.5,
    "max_samples": 0.4,
}
SPACE: Mapping[str, Dimension] = {
    "n_estimators": Integer(50, 300, log=True),
    "max_depth": Integer(4, 24),
    "min_samples_leaf": Integer(1, 50, log=True),
    "max_features": Real(0.2, 1.0),
    "max_samples": Real(0.2, 0.9),
}


def fit(
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    params: Mapping[str, Any],
    seed: int,
    threads: int,
    checkpoint: Checkpoint = NOWHERE,
) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    # Each tree's seed comes from the forest's and the tree's number alone (a warm start draws those of the trees that
    # are there again), so that neither batches nor an interruption change a tree.
    total = int(params["n_estimators"])
    model = RandomForestClassifier(random_state=seed, n_jobs=threads, warm_start=True, **params)
    model.estimators_ = trees.unpacked(state, x, y) if (state := checkpoint.load()) else []
    batch = threads if math.isfinite(checkpoint.every_s) else total
    while (there := len(model.estimators_)) < total:
        began = time.monotonic()
        model.set_params(n_estimators=min(there + batch, total)).fit(x, y)
        if len(model.estimators_) < total and checkpoint.due():
            done = f"{len(model.estimators_)} of {total} trees of random_forest"
            checkpoint.save(done, trees.packed(model.estimators_))
        batch = _next_batch(batch, time.monotonic() - began, checkpoint.every_s, threads)
    for tree in model.estimators_:
        onnx_graph.round_thresholds(tree)
    return model.set_params(warm_start=False)


def _next_batch(batch: int, seconds: float, every_s: float, threads: int) -> int:
    """As many trees as fit between two checkpoints at the pace of the last batch, each thread the same number."""
    if not math.isfinite(every_s):
        return batch
    return max(1, int(batch * every_s / max(seconds, 1e-3)) // threads) * threads


def probabilities(model: Any, x: NDArray[np.float32]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = model.predict_proba(x)
    return found


def to_onnx(model: Any, features: int) -> bytes:
    return onnx_graph.convert(model, features)
