"""Leanings: what each product says about the shopper, learned from basket labels alone, and basket features.

A basket's class follows the balance of its lines: every product leans to one of the ordered classes, or has no say.
`fit` learns that, `fit_out_of_fold` also gives training features that never saw their own basket's label, and
`Leanings` turns lines into features, in bulk (`features`) and one basket at a time (`basket`), equal to the last bit.

    lines.py   the input: a catalogue and the lines of baskets, as arrays
    link.py    from a basket's score to class probabilities
    prior.py   what a product's attributes say before anybody bought it
    model.py   the fitted leanings: posteriors, features, JSON
    fit.py     the learning: sweeps, the line weight, folds
    solve.py   linear systems whose sums keep their order

Only learning needs scipy; reading and using fitted leanings needs numpy alone.
"""

from __future__ import annotations

from retailops.retail.leanings.fit import choose_weight, fit, fit_out_of_fold, weight_likelihoods
from retailops.retail.leanings.lines import WEIGHTS, Catalogue, Lines
from retailops.retail.leanings.link import Link
from retailops.retail.leanings.model import FEATURES, Leanings

__all__ = [
    "FEATURES",
    "WEIGHTS",
    "Catalogue",
    "Leanings",
    "Lines",
    "Link",
    "choose_weight",
    "fit",
    "fit_out_of_fold",
    "weight_likelihoods",
]
