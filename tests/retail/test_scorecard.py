"""The scorecard against scikit-learn's figures, and the pricing error against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

from retailops.retail import gates
from retailops.retail.columns import LABELS
from retailops.retail.scorecard import majority, score

RNG = np.random.default_rng(3)
TRUTH = RNG.integers(0, 3, 500)
PREDICTED = np.where(RNG.random(500) < 0.7, TRUTH, RNG.integers(0, 3, 500))
SPEND = RNG.integers(1, 5000, 500)
LIMITS = {"accuracy": 0.75, "macro_f1": 0.70, "precision": 0.65, "pricing_error": -0.10}


def test_the_scorecard_agrees_with_scikit_learn() -> None:
    card = score(TRUTH, PREDICTED, SPEND)
    precision, recall, f1, _ = precision_recall_fscore_support(TRUTH, PREDICTED)
    assert card["accuracy"] == pytest.approx(accuracy_score(TRUTH, PREDICTED))
    assert card["macro_f1"] == pytest.approx(f1_score(TRUTH, PREDICTED, average="macro"))
    assert card["confusion"] == confusion_matrix(TRUTH, PREDICTED).tolist()
    for index, label in enumerate(LABELS):
        assert card["precision"][label] == pytest.approx(precision[index])
        assert card["recall"][label] == pytest.approx(recall[index])
        assert card["f1"][label] == pytest.approx(f1[index])


def test_the_pricing_error_weighs_tiers_by_spend() -> None:
    # LA taken for UM is two tiers off at £3, MM taken for MM none at £1; everyone MM is one tier off at £3.
    card = score(np.array([0, 1]), np.array([2, 1]), np.array([300, 100]))
    assert card["pricing_error"] == pytest.approx(1.5)
    assert card["pricing_error_everyone_mm"] == pytest.approx(0.75)
    assert card["pricing_error_change"] == pytest.approx(1.0)


def test_refunds_weigh_nothing() -> None:
    card = score(np.array([0, 2]), np.array([0, 0]), np.array([100, -5000]))
    assert card["pricing_error"] == 0.0


def test_a_class_that_is_never_predicted_has_precision_zero_and_fails_its_gate() -> None:
    card = majority(np.array([1, 1, 0]), np.array([0, 1, 2]), np.array([1, 1, 1]))
    assert card["precision"] == {"LA": 0.0, "MM": pytest.approx(1 / 3), "UM": 0.0}
    failing = {gate.name for gate in gates.of_scorecard(card, LIMITS) if not gate.ok}
    assert {"accuracy", "macro F1", "precision LA", "precision UM"} <= failing


def test_a_gate_with_no_number_fails() -> None:
    assert not gates.Gate("accuracy", float("nan"), 0.5).ok
    assert not gates.Gate("P95", float("nan"), 0.5, "at most").ok
