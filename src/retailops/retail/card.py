"""The model card: what a model was made of, how well it does, and what it must not be used for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from retailops.retail.columns import LABELS, WORDS
from retailops.retail.dataset import Dataset
from retailops.retail.encoder import Encoder

LIMITS = (
    "The label is a function of the basket's contents: scoring a finished basket decodes a segmentation of it and "
    "doesn't measure how a shopper would respond to a price.",
    "Judged on baskets of later weeks than it learned from; unclassified baskets are left out on both sides.",
    "An unknown product speaks only through its category and price, and lowers the coverage of the answer: "
    "don't act on answers with a low coverage.",
)


def model_card(
    algorithm: str,
    parameters: Mapping[str, Any],
    dataset: Dataset,
    split: Mapping[str, Any],
    encoder: Encoder,
    scorecard: Mapping[str, Any],
    baselines: Mapping[str, Any],
) -> dict[str, Any]:
    """One JSON document; the same training gives the same bytes, so it holds no time and no path."""
    return {
        "algorithm": algorithm,
        "parameters": dict(parameters),
        "labels": {label: WORDS[label] for label in LABELS},
        "dataset": {"version": dataset.version, "rows": dataset.rows, "weeks": [dataset.weeks[0], dataset.weeks[-1]]},
        "split": dict(split),
        "features": list(encoder.names),
        "feature_hash": encoder.hash,
        "label_noise": encoder.leanings.noise if encoder.leanings else None,
        "line_weight": encoder.leanings.weight if encoder.leanings else None,
        "scorecard": dict(scorecard),
        "baselines": dict(baselines),
        "limits": list(LIMITS),
    }
