"""From baskets to numbers: one encoder for whole tables (training, batch scoring) and for one request (serving)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retailops.retail import bundle as bundles
from retailops.retail import leanings as leaning_module
from retailops.retail.bundle import Bundle
from retailops.retail.features import BY_NAME, SETS, Feature
from retailops.retail.leanings import Leanings

Table = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Encoder:
    """The features of a model in their order, with what was learned about them in the training weeks.

    vocabularies: categorical feature → its values in training, sorted; the code is the position.
    fills: feature → the number used when the value is missing or was never seen: the training median or commonest code.
    """

    features: tuple[Feature, ...]
    vocabularies: Mapping[str, tuple[str, ...]]
    fills: Mapping[str, float]
    leanings: Leanings | None

    @classmethod
    def fit(cls, gold: Table, feature_set: str, leanings: Leanings | None) -> Encoder:
        """Learn vocabularies and fill values from the training baskets of the gold zone."""
        features = tuple(BY_NAME[name] for name in SETS[feature_set])
        vocabularies: dict[str, tuple[str, ...]] = {}
        fills: dict[str, float] = {}
        for feature in features:
            values = gold[feature.name]
            if feature.categorical:
                seen, counts = np.unique(values[_present(values)].astype(str), return_counts=True)
                vocabularies[feature.name] = tuple(seen.tolist())
                fills[feature.name] = float(counts.argmax()) if len(counts) else 0.0
            else:
                fills[feature.name] = float(np.median(values)) if len(values) else 0.0
        return cls(features, vocabularies, fills, leanings)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of the matrix, in order."""
        extra = leaning_module.FEATURES if self.leanings else ()
        return (*(feature.name for feature in self.features), *extra)

    def matrix(self, gold: Table, leaning_features: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """float64[B, F] from gold columns and, with leanings, their features float64[B, L] for the same baskets."""
        parts = [self._column(feature, gold[feature.name]) for feature in self.features]
        if leaning_features is not None:
            parts.extend(leaning_features.T)
        return np.column_stack(parts)

    def _column(self, feature: Feature, values: NDArray[Any]) -> NDArray[np.float64]:
        if not feature.categorical:
            return np.asarray(values, dtype=np.float64)
        words = np.where(_present(values), values, "").astype(str)
        vocabulary = np.array(self.vocabularies[feature.name], dtype=str)
        if not len(vocabulary):
            return np.full(len(words), self.fills[feature.name])
        place = np.minimum(np.searchsorted(vocabulary, words), len(vocabulary) - 1)
        return np.where(vocabulary[place] == words, place.astype(np.float64), self.fills[feature.name])

    def to_json(self) -> dict[str, Any]:
        return {
            "features": [
                {
                    "name": feature.name,
                    "group": feature.group,
                    "kind": feature.kind,
                    "column": feature.column,
                    "over": feature.over,
                    "categorical": feature.categorical,
                    "fill": self.fills[feature.name],
                    "vocabulary": list(self.vocabularies.get(feature.name, ())),
                }
                for feature in self.features
            ],
            "leaning_features": list(leaning_module.FEATURES) if self.leanings else [],
        }

    @classmethod
    def from_json(cls, spec: Mapping[str, Any], leanings: Leanings | None) -> Encoder:
        features, vocabularies, fills = [], {}, {}
        for item in spec["features"]:
            feature = Feature(
                item["name"], item["group"], item["kind"], item["column"], item["over"], categorical=item["categorical"]
            )
            features.append(feature)
            fills[feature.name] = float(item["fill"])
            if feature.categorical:
                vocabularies[feature.name] = tuple(item["vocabulary"])
        return cls(tuple(features), vocabularies, fills, leanings)

    @classmethod
    def of(cls, bundle: Bundle) -> Encoder:
        """The encoder that a bundle was trained with."""
        leanings = Leanings.from_json(bundle.json(bundles.LEANINGS)) if bundle.has(bundles.LEANINGS) else None
        return cls.from_json(bundle.json(bundles.ENCODER), leanings)

    @property
    def hash(self) -> str:
        """Names the feature table and everything learned about it."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()


def _present(values: NDArray[Any]) -> NDArray[np.bool_]:
    if values.dtype.kind != "O":
        return np.ones(len(values), dtype=bool)
    return np.array([value is not None for value in values], dtype=bool)


class OnlineEncoder:
    """The same numbers for one basket, in plain Python: at a handful of lines that is faster than any array."""

    def __init__(self, encoder: Encoder) -> None:
        self._leanings = encoder.leanings
        self._steps = [
            (
                feature.online(),
                {word: float(code) for code, word in enumerate(encoder.vocabularies[feature.name])}
                if feature.categorical
                else None,
                encoder.fills[feature.name],
            )
            for feature in encoder.features
        ]

    def encode(self, basket: Any) -> tuple[list[float], int]:
        """One basket → its features and how many of its lines are of a product that the model knows.

        `basket.lines` must be sorted by product code, as the silver zone is read, so that sums agree to the last bit.
        """
        row: list[float] = []
        for value_of, codes, fill in self._steps:
            value = value_of(basket)
            if value is None:
                row.append(fill)
            elif codes is not None:
                row.append(codes.get(value, fill))  # type: ignore[arg-type]
            else:
                row.append(float(value))
        if self._leanings is None:
            return row, len(basket.lines)
        known = 0
        weighed = []
        for line in basket.lines:
            posterior, found = self._leanings.posterior_of(line.prod_code, line.attributes, line.unit_pence)
            known += found
            weighed.append((posterior, line.quantity, line.spend_pence))
        row.extend(self._leanings.basket(weighed))
        return row, known


def as_matrix(rows: Sequence[Sequence[float]] | NDArray[np.float64]) -> NDArray[np.float32]:
    """What the classifier eats: float32[B, F]."""
    return np.array(rows, dtype=np.float32)
