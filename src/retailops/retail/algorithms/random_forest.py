"""A random forest: many trees on re-drawn baskets and features, averaged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retailops.retail.algorithms import onnx_graph
from retailops.retail.algorithms.space import Dimension, Integer, Real

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


def fit(x: NDArray[np.float32], y: NDArray[np.int64], params: Mapping[str, Any], seed: int, threads: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(random_state=seed, n_jobs=threads, **params).fit(x, y)
    for tree in model.estimators_:
        onnx_graph.round_thresholds(tree)
    return model


def probabilities(model: Any, x: NDArray[np.float32]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = model.predict_proba(x)
    return found


def to_onnx(model: Any, features: int) -> bytes:
    return onnx_graph.convert(model, features)
