"""A linear model by stochastic gradient descent: an algorithm that the suite adds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retailops.retail.algorithms import onnx_graph
from retailops.retail.checkpoint import NOWHERE, Checkpoint

DEFAULTS: Mapping[str, Any] = {"alpha": 1e-4}


def fit(
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    params: Mapping[str, Any],
    seed: int,
    threads: int,
    checkpoint: Checkpoint = NOWHERE,
) -> Any:
    from sklearn.linear_model import SGDClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss", random_state=seed, **params)).fit(x, y)


def probabilities(model: Any, x: NDArray[np.float32]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = model.predict_proba(x)
    return found


def to_onnx(model: Any, features: int) -> bytes:
    return onnx_graph.convert(model, features)
