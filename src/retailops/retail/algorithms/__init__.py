"""The algorithms: one file each, named here. A file gives its defaults, how to fit, and how to become ONNX.

A file that can be tuned also says where to search: SPACE, parameter → Integer, Real or Choice (space.py). One whose
model several machines can train together also has `fit_together`: `fit` with a Team behind its arguments.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

from retailops.errors import ConfigError, Unsupported, UsageError
from retailops.retail.algorithms.space import Dimension

if TYPE_CHECKING:  # the names below are read with retail.yaml, where nobody needs numpy yet
    import numpy as np
    from numpy.typing import NDArray

    from retailops.retail.checkpoint import Checkpoint

# Adding an algorithm: its file beside this one, and its name here.
NAMES = ("decision_tree", "random_forest", "logistic_regression", "xgboost")


class Algorithm(Protocol):
    """What a file in this folder offers, as module-level names."""

    DEFAULTS: Mapping[str, Any]  # hyper-parameters by the library's own names; retail.yaml's train.params override them

    def fit(
        self,
        x: NDArray[np.float32],
        y: NDArray[np.int64],
        params: Mapping[str, Any],
        seed: int,
        threads: int,
        checkpoint: Checkpoint = ...,
    ) -> Any:
        """Train on float32[B, F] and class indices int64[B]; the same inputs give the same model.

        What the checkpoint has is gone on from, to the very same model; an algorithm that can't do that ignores it.
        """

    def probabilities(self, model: Any, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """The native model's answer, [B, 3] in the order of columns.LABELS."""

    def to_onnx(self, model: Any, features: int) -> bytes:
        """The model as ONNX: "features" float32[B, F] → "probabilities" float32[B, 3]."""


def load(name: str) -> Algorithm:
    """The algorithm of this name. ConfigError when there is none."""
    if name not in NAMES:
        raise ConfigError(f"There is no algorithm {name!r}.", f"Algorithms: {', '.join(NAMES)}.")
    return cast(Algorithm, importlib.import_module(f"{__name__}.{name}"))


def together(name: str) -> Callable[..., Any]:
    """How several machines train one model of this name: `fit` with a Team. Unsupported where they can't."""
    found: Callable[..., Any] | None = getattr(load(name), "fit_together", None)
    if not found:
        able = [each for each in NAMES if hasattr(load(each), "fit_together")]
        raise Unsupported(
            f"{name} trains on one machine, not on several.",
            f"Set the number of instances to 1, or train these alone: {', '.join(able)}.",
        )
    return found


def space(name: str) -> Mapping[str, Dimension]:
    """Where tuning searches. ConfigError when there is no such algorithm, UsageError when it has no search space."""
    found: Mapping[str, Dimension] | None = getattr(load(name), "SPACE", None)
    if not found:
        tunable = [each for each in NAMES if hasattr(load(each), "SPACE")]
        raise UsageError(f"{name} can't be tuned: its file has no SPACE.", f"These can be: {', '.join(tunable)}.")
    return found


def parameters(algorithm: Algorithm, name: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults with the overrides on top; a parameter the algorithm doesn't declare is refused."""
    unknown = sorted(set(overrides) - set(algorithm.DEFAULTS))
    if unknown:
        raise ConfigError(
            f"train.params.{name}: unknown parameter {', '.join(unknown)}.",
            f"{name} takes: {', '.join(sorted(algorithm.DEFAULTS))}.",
        )
    return {**algorithm.DEFAULTS, **overrides}
