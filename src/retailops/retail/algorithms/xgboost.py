"""Gradient-boosted trees by XGBoost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retailops.retail.algorithms.onnx_graph import GRAPH
from retailops.retail.algorithms.space import Dimension, Integer, Real
from retailops.retail.checkpoint import NOWHERE, Checkpoint
from retailops.retail.columns import LABELS
from retailops.retail.team import Team

DEFAULTS: Mapping[str, Any] = {
    "n_estimators": 120,
    "max_depth": 5,
    "learning_rate": 0.15,
    "min_child_weight": 5.0,
    "subsample": 0.8,
    "colsample_bytree": 0.7,
    "reg_lambda": 1.0,
    "max_bin": 256,
}
SPACE: Mapping[str, Dimension] = {
    "n_estimators": Integer(40, 400, log=True),
    "max_depth": Integer(2, 9),
    "learning_rate": Real(0.02, 0.4, log=True),
    "min_child_weight": Real(0.5, 50.0, log=True),
    "subsample": Real(0.5, 1.0),
    "colsample_bytree": Real(0.4, 1.0),
    "reg_lambda": Real(0.01, 30.0, log=True),
}


def fit(
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    params: Mapping[str, Any],
    seed: int,
    threads: int,
    checkpoint: Checkpoint = NOWHERE,
) -> Any:
    from retailops.retail.algorithms.xgboost_rounds import Rounds

    total = int(params["n_estimators"])
    rounds = Rounds(x, total, checkpoint, checkpoint.load())
    model = _classifier({**params, "n_estimators": rounds.left}, seed, threads, callbacks=[rounds])
    return model.fit(x, y, base_margin=rounds.margin).set_params(callbacks=None, n_estimators=total)


def fit_together(
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    params: Mapping[str, Any],
    seed: int,
    threads: int,
    checkpoint: Checkpoint,
    team: Team,
) -> Any:
    """As `fit`, by all machines of a team at the same time: the same model on each of them, and as one alone."""
    from retailops.retail.algorithms import xgboost_team

    model = _classifier(params, seed, threads)
    total = int(params["n_estimators"])
    model.load_model(bytearray(xgboost_team.train(model.get_xgb_params(), x, y, total, checkpoint, team)))
    return model


def _classifier(params: Mapping[str, Any], seed: int, threads: int, **more: Any) -> Any:
    from xgboost import XGBClassifier

    return XGBClassifier(
        objective="multi:softprob",
        num_class=len(LABELS),
        tree_method="hist",
        # A number, not an estimate from the labels: converters read one base score, not one per class.
        base_score=0.5,
        random_state=seed,
        n_jobs=threads,
        **{**params, **more},
    )


def probabilities(model: Any, x: NDArray[np.float32]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = model.predict_proba(x).astype(np.float64)
    return found


def to_onnx(model: Any, features: int) -> bytes:
    import onnx
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    shape = FloatTensorType([None, features])
    converted = convert_xgboost(model, name=GRAPH, initial_types=[("features", shape)], target_opset=15)
    onnx.checker.check_model(converted)
    content: bytes = converted.SerializeToString()
    return content
