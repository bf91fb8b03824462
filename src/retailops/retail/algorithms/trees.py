"""The trees of a forest as a few arrays, and back: numbers alone, no pickle."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retailops.retail.checkpoint import State
from retailops.retail.columns import LABELS

_NODES, _VALUES, _COUNTS, _DEPTHS = "nodes", "values", "counts", "depths"


def packed(trees: Sequence[Any]) -> State:
    """Fitted trees → all their nodes and values in a row, and how many of each belong to which tree, and its depth."""
    states = [tree.tree_.__getstate__() for tree in trees]
    return {
        _NODES: np.concatenate([state["nodes"] for state in states]),
        _VALUES: np.concatenate([state["values"] for state in states]),
        _COUNTS: np.array([state["node_count"] for state in states]),
        _DEPTHS: np.array([state["max_depth"] for state in states]),
    }


def unpacked(state: State, x: NDArray[np.float32], y: NDArray[np.int64]) -> list[Any]:
    """The trees again, as part of a forest on x and y; they answer and convert as they did."""
    from sklearn.tree import DecisionTreeClassifier

    _, rows = np.unique(y, return_index=True)
    # A tree of the same features and classes, for all that isn't its nodes.
    pattern = DecisionTreeClassifier(max_depth=1).fit(x[rows], y[rows])
    ends = np.cumsum(state[_COUNTS])
    found = []
    for start, end, depth in zip(ends - state[_COUNTS], ends, state[_DEPTHS], strict=True):
        nodes = state[_NODES][start:end]
        # scikit-learn goes where the numbers say without looking.
        if (
            max(nodes["left_child"].max(), nodes["right_child"].max()) >= len(nodes)
            or nodes["feature"].max() >= x.shape[1]
        ):
            raise ValueError("a tree leads out of itself")
        tree = copy.copy(pattern)
        tree.tree_ = type(pattern.tree_)(x.shape[1], np.array([len(LABELS)], dtype=np.intp), 1)
        values = state[_VALUES][start:end]
        tree.tree_.__setstate__({"nodes": nodes, "values": values, "node_count": len(nodes), "max_depth": int(depth)})
        found.append(tree)
    return found
