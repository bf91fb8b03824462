"""One decision tree: the model that a person can read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retailops.retail.algorithms import onnx_graph
from retailops.retail.algorithms.space import Choice, Dimension, Integer
from retailops.retail.checkpoint import NOWHERE, Checkpoint

DEFAULTS: Mapping[str, Any] = {"max_depth": 6, "min_samples_leaf": 20, "criterion": "entropy", "ccp_alpha": 0.0}
SPACE: Mapping[str, Dimension] = {
    "max_depth": Integer(2, 16),
    "min_samples_leaf": Integer(1, 200, log=True),
    "criterion": Choice(("entropy", "gini")),
}


def fit(
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    params: Mapping[str, Any],
    seed: int,
    threads: int,
    checkpoint: Checkpoint = NOWHERE,  # unused: one tree is grown in one go
) -> Any:
    from sklearn.tree import DecisionTreeClassifier

    model = DecisionTreeClassifier(random_state=seed, **params).fit(x, y)
    onnx_graph.round_thresholds(model)
    return model


def probabilities(model: Any, x: NDArray[np.float32]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = model.predict_proba(x)
    return found


def to_onnx(model: Any, features: int) -> bytes:
    return onnx_graph.convert(model, features)
