"""The ONNX model of a bundle, run by onnxruntime."""

from __future__ import annotations

import numpy as np
import onnxruntime
from numpy.typing import NDArray


class Classifier:
    """The ONNX model of a bundle on one thread: requests, not one request's arithmetic, are what runs in parallel."""

    def __init__(self, model: bytes, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def probabilities(self, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[B, F] → float32[B, 3]."""
        (found,) = self._session.run(["probabilities"], {"features": matrix})
        result: NDArray[np.float32] = found
        return result
