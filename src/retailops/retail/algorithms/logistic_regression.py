"""Multinomial logistic regression on standardised features: the linear baseline that is hard to beat here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retailops.retail.algorithms import onnx_graph
from retailops.retail.algorithms.space import Dimension, Real
from retailops.retail.checkpoint import NOWHERE, Checkpoint

DEFAULTS: Mapping[str, Any] = {"C": 1.0, "max_iter": 300, "tol": 1e-4}
SPACE: Mapping[str, Dimension] = {"C": Real(1e-3, 100.0, log=True)}


def fit(
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    params: Mapping[str, Any],
    seed: int,
    threads: int,
    checkpoint: Checkpoint = NOWHERE,  # unused: a warm start ends in other bits, and all of it takes a second
) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(random_state=seed, **params)).fit(x, y)


def probabilities(model: Any, x: NDArray[np.float32]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = model.predict_proba(x)
    return found


def to_onnx(model: Any, features: int) -> bytes:
    return onnx_graph.convert(model, features)
