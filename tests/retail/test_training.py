"""Training on a small synthetic dataset: every algorithm, its bundle, and the same numbers on every path."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest

from retailops.errors import ConfigError, DataError
from retailops.progress import Silent
from retailops.retail import algorithms, scoring, tables, training
from retailops.retail import bundle as bundles
from retailops.retail.bundle import Bundle
from retailops.retail.dataset import Dataset
from retailops.retail.features import TABLE
from retailops.retail.predictor import Basket, Predictor
from retailops.retail.training import TrainOptions


def test_every_algorithm_beats_both_baselines_by_far(trained: Any) -> None:
    baselines = trained.result["baselines"]
    for name in algorithms.NAMES:
        card = trained.result["runs"][name]["scorecard"]
        assert card["accuracy"] > 0.85, name
        assert card["accuracy"] > max(each["accuracy"] for each in baselines.values()) + 0.2, name
        assert card["pricing_error_change"] < -0.5, name


def test_the_test_weeks_are_later_than_the_training_weeks(trained: Any, small_dataset: Dataset) -> None:
    assert trained.result["split"]["test_from"] == small_dataset.weeks[-1]


@pytest.mark.slow
def test_the_same_training_gives_the_same_bundles(trained: Any, small_dataset: Dataset, tmp_path: Path) -> None:
    options = TrainOptions(algorithms=("random_forest", "xgboost"), threads=1)
    again = training.train(small_dataset, tmp_path, options, Silent())
    for name in options.algorithms:
        assert again["runs"][name]["hash"] == trained.result["runs"][name]["hash"], name


def test_the_server_and_the_batch_give_the_features_of_training(trained: Any) -> None:
    for name in algorithms.NAMES:
        Predictor.open(trained.folder / name, 1)  # replays the golden rows: features equal to the bit


def test_batch_scoring_agrees_with_single_predictions(trained: Any, small_dataset: Dataset, tmp_path: Path) -> None:
    inputs = {"dataset": small_dataset.folder, "bundle": trained.folder / "xgboost"}
    result = scoring.job(inputs, tmp_path, {}, Silent())
    table = pq.read_table(tmp_path / scoring.OUTPUT).to_pylist()
    assert result["baskets"] == len(table) == small_dataset.rows["gold"]
    baskets = tables.read(small_dataset)
    predictor = Predictor.open(trained.folder / "xgboost", 1)
    chosen = range(0, len(baskets), 97)
    requests = [msgspec.convert(_request(baskets, index), Basket) for index in chosen]
    for index, scored in zip(chosen, predictor.predict(requests), strict=True):
        row = table[index]
        assert row["basket_id"] == baskets.gold["basket_id"][index]
        assert row["prediction"] == scored.prediction.prediction
        assert row["coverage"] == scored.prediction.coverage
        for key, value in scored.prediction.probabilities.items():
            assert row[f"probability_{key}"] == pytest.approx(value, abs=2e-6)


def _request(baskets: tables.Baskets, index: int) -> dict[str, Any]:
    from retailops.retail import golden

    return golden._request(baskets, index, "basket")


def test_an_unknown_product_lowers_the_coverage_and_still_gets_an_answer(trained: Any) -> None:
    predictor = Predictor.open(trained.folder / "xgboost", 3)
    request = dict(predictor.golden[0]["basket"])
    request["lines"] = [request["lines"][0], {"prod_code": "PRD-NEVER-SEEN", "quantity": 1, "spend": 1.5}]
    (scored,) = predictor.predict([msgspec.convert(request, Basket)])
    assert scored.prediction.coverage == 0.5
    assert sum(scored.prediction.probabilities.values()) == pytest.approx(1.0, abs=1e-4)
    assert scored.prediction.model_version == 3


def test_a_bare_basket_is_filled_with_what_was_commonest(trained: Any) -> None:
    predictor = Predictor.open(trained.folder / "logistic_regression", 1)
    line = predictor.golden[0]["basket"]["lines"][0]
    bare = {"basket_id": "b", "lines": [{key: line[key] for key in ("prod_code", "quantity", "spend")}]}
    (scored,) = predictor.predict([msgspec.convert(bare, Basket)])
    assert np.isfinite(scored.features).all()


def test_the_seed_features_alone_stay_near_the_majority(small_dataset: Dataset, tmp_path: Path) -> None:
    options = TrainOptions(algorithms=("decision_tree",), feature_set="seed")
    result = training.train(small_dataset, tmp_path, options, Silent())
    card = result["runs"]["decision_tree"]["scorecard"]
    assert card["accuracy"] < result["baselines"]["majority"]["accuracy"] + 0.1
    assert result["leanings"] is None
    assert not Bundle.open(tmp_path / "decision_tree").has(bundles.LEANINGS)
    Predictor.open(tmp_path / "decision_tree", 1)


def test_max_baskets_limits_what_is_learned_from(small_dataset: Dataset) -> None:
    study = training.prepare(small_dataset, tables.read(small_dataset), TrainOptions(max_baskets=1500), Silent())
    assert len(study.train_y) == 1500


def test_unclassified_baskets_are_counted_and_never_trained_on(trained: Any, small_dataset: Dataset) -> None:
    split = trained.result["split"]
    assert split["unclassified_baskets"] > 0
    parts = split["train_baskets"] + split["test_baskets"] + split["unclassified_baskets"]
    assert parts == small_dataset.rows["gold"]


def test_a_dataset_without_labels_is_refused(small_dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no labels"):
        training.train(replace(small_dataset, labelled=False), tmp_path, TrainOptions(), Silent())


def test_an_unknown_algorithm_or_parameter_is_named() -> None:
    with pytest.raises(ConfigError, match="'xgbost'"):
        algorithms.load("xgbost")
    with pytest.raises(ConfigError, match=r"train\.params\.xgboost: unknown parameter depth"):
        algorithms.parameters(algorithms.load("xgboost"), "xgboost", {"depth": 3})


def test_every_business_group_has_features() -> None:
    assert {feature.group for feature in TABLE} == {"basket", "spend", "store", "product"}
