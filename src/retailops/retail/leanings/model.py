"""The fitted leanings: what each product says, and the features of a basket that follow from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from retailops.retail import columns
from retailops.retail.leanings.lines import Bools, Catalogue, Floats, Lines, summed
from retailops.retail.leanings.link import Link
from retailops.retail.leanings.prior import Posterior, Prior

_CODES = tuple(label.lower() for label in columns.LABELS)

# Per basket; "weight" is what the lines weigh together, those with a say only. A basket in which nothing has a say
# has score 0 (the middle), counts, shares and weight 0, uncertainty 1 if no line weighs anything, and the
# probabilities of score 0.
FEATURES: tuple[str, ...] = (
    "leaning_score",  # balance, −1 all towards the first class … +1 all towards the last
    *(f"leaning_count_{code}" for code in _CODES),  # expected weight of the lines that lean there
    *(f"leaning_share_{code}" for code in _CODES),  # the same as a share of the weight
    "leaning_weight",
    "leaning_uncertainty",  # share of all lines' weight that the likeliest leanings leave unexplained, 0 … 1
    f"leaning_p_{_CODES[0]}",  # probability of the first class by the balance alone
    f"leaning_p_{_CODES[-1]}",
)


@dataclass(frozen=True)
class Leanings:
    """What was learned.

    weight     what a line weighs: one of WEIGHTS
    link       from score to class probabilities
    codes      the products that occurred in training
    posterior  float64[len(codes), 4]: probability that each leans to LA, MM, UM or has no say
    prior      for any other product
    """

    weight: str
    link: Link
    codes: tuple[str, ...]
    posterior: Floats
    prior: Prior
    _known: dict[str, Posterior] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rows = (tuple(row) for row in self.posterior.tolist())
        object.__setattr__(self, "_known", dict(zip(self.codes, rows, strict=True)))

    @property
    def noise(self) -> float:
        """Estimated share of labels that were redrawn at random."""
        return self.link.lapse

    def posterior_of(
        self, code: str, attributes: Mapping[str, str | None], unit_pence: float
    ) -> tuple[Posterior, bool]:
        """(posterior, known) of one product: as learned, else the prior of its attributes, else no say."""
        known = self._known.get(code)
        if known is not None:
            return known, True
        return self.prior.of(attributes, unit_pence), False

    def posteriors(self, catalogue: Catalogue) -> tuple[Floats, Bools]:
        """`posterior_of` for a catalogue: float64[P, 4] and bool[P]."""
        names = list(catalogue.attributes)
        table, known = np.empty((len(catalogue), 4)), np.zeros(len(catalogue), dtype=np.bool_)
        for i, code in enumerate(catalogue.codes):
            attributes = {name: catalogue.attributes[name][i] for name in names}
            table[i], known[i] = self.posterior_of(str(code), attributes, float(catalogue.unit_pence[i]))
        return table, known

    def features(self, lines: Lines, posteriors: Floats) -> Floats:
        """float64[baskets, len(FEATURES)] of lines whose products index `posteriors` float64[P, 4]."""
        unsure = 1.0 - posteriors.max(axis=1, initial=0.0)
        result = np.empty((lines.baskets, len(FEATURES)))
        result[:] = self._row(0.0, 0.0, 0.0, 0.0, 0.0)  # baskets without lines that no chunk covers
        for rows, baskets in lines.chunks():
            product, weights = lines.product[rows], lines.weights(self.weight, rows)
            basket, size = lines.basket[rows] - np.int32(baskets.start), baskets.stop - baskets.start
            la, mm, um, doubt = (
                summed(basket, weights * each[product], size)
                for each in (posteriors[:, 0], posteriors[:, 1], posteriors[:, 2], unsure)
            )
            total = summed(basket, weights, size)
            result[baskets] = self._rows(la, mm, um, doubt, total)
        return result

    def _rows(self, la: Floats, mm: Floats, um: Floats, doubt: Floats, total: Floats) -> Floats:
        """The features of many baskets from their sums: `_row` for arrays, each operation in the same order."""
        weight = la + mm + um
        by = np.where(weight > 0.0, weight, 1.0)
        score = np.where(weight > 0.0, (um - la) / by, 0.0)
        uncertainty = np.where(total > 0.0, doubt / np.where(total > 0.0, total, 1.0), 1.0)
        # math.exp, not numpy's: they may differ in the last bit, and the server uses the former.
        outer = np.array([self.link.outer(each) for each in score.tolist()]).reshape(-1, 2)
        middle = [score, la, mm, um, la / by, mm / by, um / by, weight, uncertainty]
        return np.column_stack([*middle, outer])

    def basket(self, lines: Sequence[tuple[Sequence[float], int, int]]) -> list[float]:
        """The FEATURES of one basket from (posterior, quantity, spend in pence) of each line, in product code order."""
        la = mm = um = doubt = total = 0.0
        for q, quantity, spend_pence in lines:
            w = 1.0 if self.weight == "one" else float(quantity if self.weight == "quantity" else spend_pence)
            if w > 0.0:
                la += w * q[0]
                mm += w * q[1]
                um += w * q[2]
                doubt += w * (1.0 - max(q))
                total += w
        return self._row(la, mm, um, doubt, total)

    def _row(self, la: float, mm: float, um: float, doubt: float, total: float) -> list[float]:
        weight = la + mm + um
        by = weight if weight > 0.0 else 1.0
        score = (um - la) / by
        uncertainty = doubt / total if total > 0.0 else 1.0
        low, high = self.link.outer(score)
        return [score, la, mm, um, la / by, mm / by, um / by, weight, uncertainty, low, high]

    def to_json(self) -> dict[str, Any]:
        """Plain lists, strings and floats; `from_json` gives the same bits back."""
        return {
            "weight": self.weight,
            "link": {"k": self.link.k, "t1": self.link.t1, "t2": self.link.t2, "lapse": self.link.lapse},
            "products": {code: list(row) for code, row in self._known.items()},
            "prior": self.prior.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Leanings:
        return cls(
            weight=data["weight"],
            link=Link(**data["link"]),
            codes=tuple(data["products"]),
            posterior=np.array(list(data["products"].values()), dtype=np.float64).reshape(-1, 4),
            prior=Prior.from_json(data["prior"]),
        )
