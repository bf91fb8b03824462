"""What the algorithms share on the way to ONNX: the graph's name, and trees that compare exactly."""

from __future__ import annotations

from typing import Any

import numpy as np

GRAPH = "price_sensitivity"
OPSET = {"": 17, "ai.onnx.ml": 3}


def convert(model: Any, features: int) -> bytes:
    """A fitted scikit-learn classifier → ONNX with plain arrays as probabilities (no ZipMap)."""
    import skl2onnx
    from skl2onnx.common.data_types import FloatTensorType

    converted = skl2onnx.convert_sklearn(
        model,
        name=GRAPH,  # without one the graph is called by a random id, and the same model gives other bytes each time
        initial_types=[("features", FloatTensorType([None, features]))],
        options={"zipmap": False},
        target_opset=OPSET,
    )
    content: bytes = converted.SerializeToString()
    return content


def round_thresholds(tree: Any) -> None:
    """Round a fitted tree's thresholds down to float32, in place.

    scikit-learn compares a float32 feature with a float64 threshold, ONNX with a float32 one. Rounded down, `x <= t` is
    the same for every float32 x, so that the two can't part ways on a basket that lies right at a threshold.
    """
    thresholds = tree.tree_.threshold
    rounded = thresholds.astype(np.float32)
    above = rounded.astype(np.float64) > thresholds
    rounded[above] = np.nextafter(rounded[above], np.float32(-np.inf))
    thresholds[:] = rounded
