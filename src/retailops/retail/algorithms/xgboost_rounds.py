"""XGBoost's rounds, one after another, and how they go on from a checkpoint to the bits they would have had anyway.

XGBoost draws rows and columns from generators inside the booster, which can't be kept. So a new booster first goes
through the rounds that are there already on a few rows without weight: trees of nothing, in next to no time, after
which its generators stand where they stood. What the kept trees say of each basket goes in as a margin to start from,
in the end they take the places of the trees of nothing. Only public calls of XGBoost, and its own model format.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xgboost import Booster, DMatrix
from xgboost.callback import TrainingCallback

from retailops.retail.checkpoint import Checkpoint, State
from retailops.retail.columns import LABELS

MODEL, ROUNDS = "model", "rounds"


class Rounds(TrainingCallback):
    """Keeps what there is after a round when it is time, and brings back what was kept.

    x: float32[B, F], the baskets trained on; total: rounds of the whole model; state: what there is already;
    matrix: makes XGBoost's own of float32[few, F], as the training's is made.
    """

    def __init__(
        self,
        x: NDArray[np.float32],
        total: int,
        checkpoint: Checkpoint,
        state: State | None,
        matrix: Callable[..., DMatrix] = DMatrix,
    ) -> None:
        self._total, self._features, self._checkpoint, self._matrix = total, x.shape[1], checkpoint, matrix
        self._first: bytes | None = None
        self.there = 0
        self.margin: NDArray[np.float32] | None = None  # [B, 3] of the rounds that are there
        if state:
            self._first, self.there = state[MODEL].tobytes(), int(state[ROUNDS])
            # Before the new booster is made: configuring this one sets the generators of the thread.
            self.margin = _booster(self._first).inplace_predict(x, predict_type="margin")

    @property
    def left(self) -> int:
        return self._total - self.there

    def before_training(self, model: Any) -> Any:
        if self.there:
            labels = np.arange(len(LABELS))
            few = np.zeros((len(labels), self._features), np.float32)
            nothing = self._matrix(few, label=labels, weight=np.zeros(len(labels)))
            for number in range(self.there):
                model.update(nothing, number)
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        done = self.there + epoch + 1
        if done < self._total and self._checkpoint.due():
            state = {MODEL: np.frombuffer(self._whole(model), np.uint8), ROUNDS: np.array(done)}
            self._checkpoint.save(f"{done} of {self._total} rounds of xgboost", state)
        return False

    def after_training(self, model: Any) -> Any:
        if self.there:
            model.load_model(bytearray(self._whole(model)))
        return model

    def _whole(self, model: Any) -> bytes:
        """The model so far, with the kept trees in the places of the trees of nothing."""
        if self._first is None:
            return bytes(model.save_raw("json"))
        whole, first = json.loads(model.save_raw("json")), json.loads(self._first)
        kept = _trees(first)
        _trees(whole)[: len(kept)] = kept
        return json.dumps(whole).encode()


def _booster(model: bytes) -> Any:
    booster = Booster()
    booster.load_model(bytearray(model))
    return booster


def _trees(model: Any) -> list[Any]:
    found: list[Any] = model["learner"]["gradient_booster"]["model"]["trees"]
    return found
