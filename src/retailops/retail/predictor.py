"""A bundle at work: baskets in, predictions out. Imports nothing heavier than numpy and onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from retailops.errors import TargetFailed
from retailops.retail import bundle as bundles
from retailops.retail.bundle import Bundle
from retailops.retail.classifier import Classifier
from retailops.retail.columns import LABELS, WORDS
from retailops.retail.encoder import Encoder, OnlineEncoder, as_matrix

Code = Annotated[str, Meta(min_length=1, max_length=64)]
Text = Annotated[str, Meta(max_length=64)]
Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]

KEYS = tuple(label.lower() for label in LABELS)  # of the probabilities in an answer
GOLDEN_TOLERANCE = 1e-5  # of a probability; features must be equal


class Line(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One product in a basket. spend is for the whole line, in pounds."""

    prod_code: Code
    quantity: Annotated[int, Meta(ge=1, le=1_000_000)]
    spend: Annotated[float, Meta(ge=-1e6, le=1e6)]
    prod_code_10: Text | None = None
    prod_code_20: Text | None = None
    prod_code_30: Text | None = None
    prod_code_40: Text | None = None

    @property
    def spend_pence(self) -> int:
        return round(self.spend * 100)

    @property
    def unit_pence(self) -> float:
        return self.spend_pence / self.quantity

    @property
    def attributes(self) -> Mapping[str, str | None]:
        return {
            "PROD_CODE_10": self.prod_code_10,
            "PROD_CODE_20": self.prod_code_20,
            "PROD_CODE_30": self.prod_code_30,
            "PROD_CODE_40": self.prod_code_40,
        }


class Basket(msgspec.Struct, forbid_unknown_fields=True):
    """One basket's lines. What is left out is filled with what was commonest in training."""

    basket_id: Code | Number  # the published files have numbers; the answer repeats it as text
    lines: Annotated[list[Line], Meta(min_length=1)]
    shop_weekday: Annotated[int, Meta(ge=1, le=7)] | None = None  # 1 = Sunday
    shop_hour: Annotated[int, Meta(ge=0, le=23)] | None = None
    basket_size: Text | None = None
    basket_type: Text | None = None
    basket_dominant_mission: Text | None = None
    store_region: Text | None = None
    store_format: Text | None = None


class Prediction(msgspec.Struct):
    """The answer for one basket."""

    basket_id: str
    prediction: str  # LA, MM or UM
    sensitivity: str  # High, Medium or Low
    probabilities: dict[str, float]
    coverage: float  # share of the basket's lines whose product the model knows
    model_version: int


@dataclass(frozen=True)
class Scored:
    prediction: Prediction
    features: list[float]


class Predictor:
    """A verified bundle, ready to predict."""

    def __init__(self, bundle: Bundle, version: int) -> None:
        self.version = version
        self.bundle_hash = bundle.hash
        self.card: dict[str, Any] = bundle.json(bundles.CARD)
        self.golden: list[dict[str, Any]] = bundle.json(bundles.GOLDEN)
        encoder = Encoder.of(bundle)
        self.feature_names = encoder.names
        self._encoder = OnlineEncoder(encoder)
        self._classifier = Classifier(bundle.read(bundles.MODEL))

    @classmethod
    def open(cls, folder: Path, version: int) -> Predictor:
        """Load a bundle, prove its hashes and replay its golden rows. TargetFailed when either doesn't hold."""
        predictor = cls(Bundle.open(folder), version)
        predictor.replay_golden()
        return predictor

    def predict(self, baskets: Sequence[Basket]) -> list[Scored]:
        """Predictions in the order of `baskets`, with the features that led to them."""
        rows: list[list[float]] = []
        coverage: list[float] = []
        for basket in baskets:
            basket.lines.sort(key=_code)
            row, known = self._encoder.encode(basket)
            rows.append(row)
            coverage.append(known / len(basket.lines))
        found = self._classifier.probabilities(as_matrix(rows)).tolist()
        return [
            Scored(self._answer(str(basket.basket_id), probabilities, share), row)
            for basket, probabilities, share, row in zip(baskets, found, coverage, rows, strict=True)
        ]

    def _answer(self, basket_id: str, probabilities: list[float], coverage: float) -> Prediction:
        label = LABELS[probabilities.index(max(probabilities))]
        shown = {key: round(value, 6) for key, value in zip(KEYS, probabilities, strict=True)}
        return Prediction(basket_id, label, WORDS[label], shown, round(coverage, 6), self.version)

    def replay_golden(self) -> None:
        """Predict the golden baskets again: equal features, probabilities within 1e-5, the same classes."""
        baskets = msgspec.convert([row["basket"] for row in self.golden], list[Basket])
        for row, scored in zip(self.golden, self.predict(baskets) if baskets else [], strict=True):
            disagreement = disagrees(row, scored.prediction, scored.features, self.feature_names)
            if disagreement:
                raise TargetFailed(
                    f"The bundle's {row['basket']['basket_id']} comes out differently here: {disagreement}.",
                    "The server's code doesn't match the code that trained the bundle: train again with this version.",
                )


def disagrees(
    golden: Mapping[str, Any], prediction: Prediction, features: Sequence[float], names: Sequence[str]
) -> str | None:
    """What is different between a golden row and an answer to it; None when nothing is."""
    for name, expected, found in zip(names, golden["features"], features, strict=True):
        if expected != found:
            return f"feature {name} is {found!r}, it was {expected!r}"
    for key, expected in golden["probabilities"].items():
        if abs(expected - prediction.probabilities[key]) > GOLDEN_TOLERANCE:
            return f"probability {key} is {prediction.probabilities[key]!r}, it was {expected!r}"
    if golden["prediction"] != prediction.prediction:
        return f"the class is {prediction.prediction}, it was {golden['prediction']}"
    return None


def _code(line: Line) -> str:
    return line.prod_code
