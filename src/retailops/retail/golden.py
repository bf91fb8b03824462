"""Golden rows: baskets with the features and probabilities of training, replayed wherever the bundle is served."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from retailops.retail.columns import LABELS
from retailops.retail.features import BY_NAME
from retailops.retail.predictor import KEYS
from retailops.retail.tables import ATTRIBUTES, Baskets

COUNT = 24
# Context of a basket that a request may carry: every feature that is constant within it.
CONTEXT = {feature.column.lower(): name for name, feature in BY_NAME.items() if feature.kind == "constant"}


def rows(test: Baskets, features: NDArray[np.float64], probabilities: NDArray[np.float32]) -> list[dict[str, Any]]:
    """Up to COUNT test baskets, evenly spaced, as requests with their expected answers.

    features float64[B, F] and probabilities float32[B, 3] are those of the whole-table path, so that a replay through a
    server proves the online path equal to it. The baskets carry no identifier of the original.
    """
    chosen = np.unique(np.linspace(0, len(test) - 1, min(COUNT, len(test))).astype(int))
    return [
        {
            "basket": _request(test, int(index), f"golden-{number:02d}"),
            "features": features[index].tolist(),
            "probabilities": {
                key: round(float(value), 6) for key, value in zip(KEYS, probabilities[index], strict=True)
            },
            "prediction": LABELS[int(probabilities[index].argmax())],
        }
        for number, index in enumerate(chosen, start=1)
    ]


def _request(test: Baskets, index: int, name: str) -> dict[str, Any]:
    first, last = np.searchsorted(test.lines.basket, [index, index + 1])
    lines = []
    for line in range(first, last):
        variant = test.lines.product[line]
        attributes = {key.lower(): str(test.variants.attributes[key][variant]) or None for key in ATTRIBUTES}
        lines.append(
            {
                "prod_code": str(test.variants.codes[variant]),
                "quantity": int(test.lines.quantity[line]),
                "spend": int(test.lines.spend_pence[line]) / 100,
                **attributes,
            }
        )
    context = {key: _plain(test.gold[column][index]) for key, column in CONTEXT.items()}
    return {"basket_id": name, "lines": lines, **context}


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
