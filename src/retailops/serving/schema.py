"""What goes over the wire: one validation for every route, and the OpenAPI description of the same types."""

from __future__ import annotations

from typing import Any

import msgspec

from retailops.retail.predictor import Basket, Prediction, Scored
from retailops.serving.limits import Limits
from retailops.serving.refusals import Refused, invalid, malformed


class Baskets(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a batch."""

    baskets: list[Basket]


class _Shape(msgspec.Struct):
    """Just enough of a body to tell a batch from a basket."""

    baskets: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Predictions(msgspec.Struct):
    """The answer to a batch, in its order."""

    predictions: list[Prediction]


class Explained(Prediction):
    """A prediction with the features that led to it, in the order of the model card (`?explain=features`)."""

    features: list[float]


class Decoder:
    """Bytes → baskets, or Refused."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._one = msgspec.json.Decoder(Basket)
        self._many = msgspec.json.Decoder(Baskets)
        self._shape = msgspec.json.Decoder(_Shape)

    def is_batch(self, body: bytes) -> bool:
        """Whether `baskets` is among the fields; what it holds isn't looked at."""
        return _decoded(self._shape, body).baskets is not msgspec.UNSET

    def basket(self, body: bytes) -> Basket:
        basket: Basket = _decoded(self._one, body)
        if len(basket.lines) > self._limits.max_lines:
            raise self._too_long("The basket", len(basket.lines))
        return basket

    def baskets(self, body: bytes) -> list[Basket]:
        baskets: list[Basket] = _decoded(self._many, body).baskets
        if len(baskets) > self._limits.max_baskets:
            raise Refused(
                422,
                f"The batch has {len(baskets)} baskets, at most {self._limits.max_baskets} are taken.",
                "Send it in smaller batches, or raise deploy.max_baskets.",
            )
        for number, basket in enumerate(baskets):
            if len(basket.lines) > self._limits.max_lines:
                raise self._too_long(f"The basket at $.baskets[{number}]", len(basket.lines))
        return baskets

    def _too_long(self, which: str, lines: int) -> Refused:
        what = f"{which} has {lines} lines, at most {self._limits.max_lines} are taken."
        return Refused(422, what, "Raise deploy.max_lines if it is real.")


def _decoded(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise invalid(error) from None
    except (msgspec.DecodeError, ValueError, RecursionError) as error:  # ValueError covers text that isn't UTF-8
        raise malformed(error) from None


def explained(scored: Scored) -> Explained:
    return Explained(**msgspec.structs.asdict(scored.prediction), features=scored.features)


def components() -> dict[str, Any]:
    """JSON schemas of the wire types, for OpenAPI."""
    types = [Basket, Baskets, Prediction, Predictions, Explained]
    _, found = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    error = {
        "type": "object",
        "properties": {
            "error": {"type": "object", "properties": {"what": {"type": "string"}, "fix": {"type": "string"}}},
        },
    }
    return {**found, "Error": error}
