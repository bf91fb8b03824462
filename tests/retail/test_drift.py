"""Drift: shifts are seen, chance isn't taken for one, and what was measured survives a trip through JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from retailops.errors import RetailOpsError
from retailops.retail import drift

NAMES = ["price", "lines", "format", "constant"]


def _sample(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    matrix = np.column_stack(
        [
            rng.lognormal(size=rows),
            1.0 + rng.poisson(6, rows),
            rng.choice(4, rows, p=[0.58, 0.25, 0.1, 0.07]).astype(float),
            np.ones(rows),
        ]
    )
    return matrix, rng.choice(3, rows, p=[0.23, 0.52, 0.25])


@pytest.fixture(scope="module")
def known() -> dict:
    return drift.reference(*_with_names(_sample(np.random.default_rng(1), 20_000)))


def _with_names(sample: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, list[str], np.ndarray]:
    return sample[0], NAMES, sample[1]


def test_the_same_rows_have_no_drift(known: dict) -> None:
    values = drift.psi(known, *_sample(np.random.default_rng(1), 20_000))
    assert list(values) == [*NAMES, drift.PREDICTIONS]
    assert max(values.values()) < 0.001


@pytest.mark.parametrize("rows", [200, 2_000])
def test_stable_traffic_does_not_cry_wolf(known: dict, rows: int) -> None:
    rng = np.random.default_rng(2)
    worst = max(max(drift.psi(known, *_sample(rng, rows)).values()) for _ in range(200))
    assert worst < 0.25


def test_without_the_correction_few_requests_would_look_like_drift(known: dict) -> None:
    assert drift.expected(known, 20)["price"] > 0.25
    assert drift.expected(known, 20)["constant"] == 0.0


@pytest.mark.parametrize("rows", [200, 20_000])
def test_a_shifted_feature_is_named_and_the_others_are_not(known: dict, rows: int) -> None:
    matrix, predicted = _sample(np.random.default_rng(3), rows)
    matrix[:, 0] *= 2.5
    values = drift.psi(known, matrix, predicted)
    assert values["price"] > 0.25
    assert max(value for name, value in values.items() if name != "price") < 0.1


def test_a_large_sample_gives_the_textbook_figure() -> None:
    before = np.repeat([0.0, 1.0], [60_000, 40_000])[:, None]
    after = np.repeat([0.0, 1.0], [40_000, 60_000])[:, None]
    known = drift.reference(before, ["flag"], np.zeros(len(before), int))
    found = drift.psi(known, after, np.zeros(len(after), int))["flag"]
    assert found == pytest.approx(2 * 0.2 * np.log(0.6 / 0.4), rel=0.01)


def test_a_feature_that_was_constant_is_seen_to_change(known: dict) -> None:
    matrix, predicted = _sample(np.random.default_rng(4), 300)
    matrix[:, 3] = 2.0
    assert drift.psi(known, matrix, predicted)["constant"] > 1.0


def test_a_changed_mix_of_predicted_classes_is_seen_from_labels_too(known: dict) -> None:
    matrix, _ = _sample(np.random.default_rng(5), 400)
    assert drift.psi(known, matrix, ["UM"] * 400)[drift.PREDICTIONS] > 0.25


def test_a_code_that_never_occurred_is_drift(known: dict) -> None:
    matrix, predicted = _sample(np.random.default_rng(6), 400)
    matrix[:200, 2] = 9.0
    assert drift.psi(known, matrix, predicted)["format"] > 0.25


def test_the_reference_survives_json_bit_for_bit(known: dict) -> None:
    sample = _sample(np.random.default_rng(7), 500)
    again = json.loads(json.dumps(known))
    assert again == known
    assert drift.psi(again, *sample) == drift.psi(known, *sample)


def test_the_last_bit_of_a_number_moves_it_to_no_other_bin(known: dict) -> None:
    matrix, predicted = _sample(np.random.default_rng(1), 20_000)
    assert drift.psi(known, matrix.astype(np.float32), predicted) == drift.psi(known, matrix, predicted)


def test_no_rows_tell_nothing(known: dict) -> None:
    assert drift.psi(known, np.empty((0, 4)), []) == {}


def test_a_matrix_of_another_model_is_refused(known: dict) -> None:
    with pytest.raises(RetailOpsError, match="4 features"):
        drift.psi(known, np.zeros((3, 5)), [0, 1, 2])


def test_features_that_follow_the_clock_are_not_gated() -> None:
    assert drift.gated({"shop_weekday": 9.0, "lines": 0.1}) == {"lines": 0.1}
