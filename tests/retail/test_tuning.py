"""Tuning on the small dataset: what it must not see, what counts as better, and what every algorithm declares."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retailops.errors import ConfigError, DataError, UsageError
from retailops.progress import Silent
from retailops.retail import algorithms, split, tables, training, tuning
from retailops.retail.algorithms import decision_tree
from retailops.retail.dataset import Dataset
from retailops.retail.search import Trial
from retailops.retail.tables import Baskets
from retailops.retail.training import TrainOptions
from retailops.retail.tuning import TuneOptions

# Shallower than the data needs: something better is there to be found.
STUMP = TrainOptions(sweeps=3, folds=2, params={"decision_tree": {"max_depth": 1}})


def tune(dataset: Dataset, folder: Path, train: TrainOptions = STUMP, **changes: Any) -> dict[str, Any]:
    return tuning.tune(dataset, folder, TuneOptions("decision_tree", train, **{"trials": 6, **changes}), Silent())


@pytest.mark.parametrize("name", algorithms.NAMES)
def test_an_algorithm_searches_only_parameters_that_it_has_from_its_default_on(name: str) -> None:
    defaults = algorithms.load(name).DEFAULTS
    for parameter, dimension in algorithms.space(name).items():
        assert dimension.holds(defaults[parameter]), parameter


def test_an_algorithm_without_a_space_is_refused_with_those_that_have_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(decision_tree, "SPACE")
    with pytest.raises(UsageError, match="decision_tree can't be tuned") as caught:
        algorithms.space("decision_tree")
    assert "xgboost" in caught.value.fix and "decision_tree" not in caught.value.fix
    with pytest.raises(ConfigError, match="xgbost"):
        algorithms.space("xgbost")


def test_better_parameters_are_found_and_told(small_dataset: Dataset, tmp_path: Path) -> None:
    found = tune(small_dataset, tmp_path)
    assert found["improved"] and found["gain"] > 2 * found["standard_error"]
    assert found["tuned"] == found["trials"][found["best"]]["parameters"]
    assert found["tuned"]["max_depth"] > 1
    assert found["trials"][0]["parameters"]["max_depth"] == 1
    assert [fold["last"] for fold in found["folds"]] == [200608, 200609, 200610, 200611]


def _with_other_test_weeks(everything: Baskets) -> Baskets:
    """The same training weeks; in the later ones other labels, other features and other products."""
    later = split.by_time(everything.gold["shop_week"], everything.gold["shop_day"], None).test
    where = np.flatnonzero(later)
    gold = {name: values.copy() for name, values in everything.gold.items()}
    for name in set(gold) - {"basket_id", "shop_week", "shop_day"}:
        gold[name][where] = gold[name][where[::-1]]
    product = everything.lines.product.copy()
    theirs = later[everything.lines.basket]
    product[theirs] = product[theirs][::-1]
    changed = dataclasses.replace(everything, gold=gold, lines=dataclasses.replace(everything.lines, product=product))
    assert (changed.classes[where] != everything.classes[where]).mean() > 0.3
    return changed


@pytest.mark.slow
def test_the_test_weeks_are_never_seen(small_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tune(small_dataset, tmp_path / "a")
    changed = _with_other_test_weeks(tables.read(small_dataset))
    monkeypatch.setattr(training, "read", lambda *_: changed)
    after = tune(small_dataset, tmp_path / "b")
    for found in (before, after):
        for trial in found["trials"]:
            trial.pop("seconds")
    assert after == before
    assert max(fold["last"] for fold in before["folds"]) < 200612


@pytest.mark.slow
def test_trials_see_the_features_of_training(small_dataset: Dataset) -> None:
    everything = tables.read(small_dataset)
    options = TuneOptions("decision_tree", STUMP)
    ground = tuning.prepare(everything, options, Silent())
    study = training.prepare(small_dataset, everything, STUMP, Silent())
    assert np.array_equal(ground.x, study.train_x.astype(np.float32))
    assert np.array_equal(ground.y, study.train_y)
    few = tuning.prepare(everything, dataclasses.replace(options, max_baskets=1000), Silent())
    assert len(few.y) == 1000


def test_a_fold_is_judged_by_earlier_weeks_alone() -> None:
    weeks = np.repeat([200651, 200652, 200701, 200702, 200703], 3)
    folds = split.forward(weeks, weeks, folds=4)
    assert [(fold.first, fold.last) for fold in folds] == [(week, week) for week in (200652, 200701, 200702, 200703)]
    for fold in folds:
        assert weeks[fold.learned].max() < weeks[fold.judged].min()
    many = np.arange(94)
    two = split.forward(many, many, folds=2)
    assert [(fold.first, fold.last) for fold in two] == [(32, 62), (63, 93)]
    assert [int(fold.learned.sum()) for fold in two] == [32, 63]


def test_few_weeks_are_cut_by_day_and_too_few_days_are_refused() -> None:
    weeks, days = np.repeat(200607, 6), np.array([1, 1, 2, 3, 4, 4])
    assert [fold.describe()["unit"] for fold in split.forward(weeks, days, 2)] == ["day", "day"]
    with pytest.raises(DataError, match="at least 3"):
        split.forward(weeks, np.array([1, 1, 1, 2, 2, 2]), 2)


def _trial(number: int, *scores: float, pruned: bool = False) -> Trial:
    return Trial(number, {"depth": number}, scores, pruned, 0.0)


def test_a_gain_within_the_noise_keeps_what_is_used() -> None:
    noisy = tuning.verdict([_trial(0, 0.80, 0.84, 0.82), _trial(1, 0.86, 0.83, 0.82)])
    assert noisy["best"] == 1 and noisy["gain"] > 0
    assert not noisy["improved"] and noisy["tuned"] == {}


def test_a_gain_on_every_fold_counts_however_much_the_folds_differ() -> None:
    steady = tuning.verdict([_trial(0, 0.60, 0.90, 0.75), _trial(1, 0.62, 0.919, 0.771)])
    assert steady["improved"] and steady["tuned"] == {"depth": 1}
    assert steady["gain"] == pytest.approx(0.02, abs=1e-3)


def test_nothing_better_than_the_usual_is_no_improvement() -> None:
    found = tuning.verdict([_trial(0, 0.9, 0.9), _trial(1, 0.95, pruned=True), _trial(2, 0.9, 0.9)])
    assert (found["best"], found["gain"], found["improved"]) == (0, 0.0, False)
