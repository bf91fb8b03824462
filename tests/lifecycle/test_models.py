"""From data to a registered version: what passes, what is refused, and what stays when it is done twice."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from retailops.errors import GateFailed, NotReady, UsageError
from retailops.lifecycle import data, etl, models, predict, register, train
from retailops.progress import Silent
from retailops.retail.synth import SynthOptions

pytestmark = pytest.mark.slow
QUIET = Silent()


def test_each_step_says_which_one_is_missing(open_project):
    target = open_project()
    with pytest.raises(NotReady, match="no labelled dataset"):
        train.train(target, None, QUIET)
    with pytest.raises(NotReady, match="no run"):
        register.register(target, None, QUIET)
    with pytest.raises(NotReady, match="No model"):
        models.find(target, None)


def test_a_run_that_meets_its_gates_is_registered_once(open_project):
    target = open_project()
    etl.etl(target, None, QUIET)
    trained = train.train(target, None, QUIET)
    first = register.register(target, None, QUIET)
    assert first.failed is None
    assert first.result["version"] == 1
    assert first.result["run"] == trained.result["runs"]["decision_tree"]
    assert first.result["dataset"] == trained.result["dataset"]
    assert register.register(target, first.result["run"][:6], QUIET).result["version"] == 1
    again = train.train(target, None, QUIET)
    assert again.result["reused"]
    assert len(target.models.runs()) == 1


def test_register_refuses_a_model_below_its_gate_and_names_the_numbers(open_project, tmp_path):
    target = open_project()
    noisy = tmp_path / "noisy"
    data.synth(noisy, SynthOptions(baskets=3_000, weeks=4, noise=0.9), "csv", QUIET)
    etl.etl(target, noisy, QUIET)
    train.train(target, None, QUIET)
    refused = register.register(target, None, QUIET)
    assert isinstance(refused.failed, GateFailed)
    assert "accuracy" in refused.failed.what and "at least 0.75" in refused.failed.what
    assert refused.result["version"] is None
    assert target.models.versions() == []


def test_the_dataset_made_last_is_the_one_trained_on_and_registered_from(open_project, synthetic_csvs, tmp_path):
    target = open_project()
    first = etl.etl(target, None, QUIET).result["dataset"]
    train.train(target, None, QUIET)
    data.synth(tmp_path / "other", SynthOptions(baskets=3_000, weeks=4, seed=9), "csv", QUIET)
    second = etl.etl(target, tmp_path / "other", QUIET).result["dataset"]
    assert train.train(target, None, QUIET).result["dataset"] == second
    assert register.best(target).dataset == second
    again = etl.etl(target, synthetic_csvs, QUIET)
    assert again.result["reused"]
    assert again.result["dataset"] == first
    assert train.train(target, None, QUIET).result["dataset"] == first
    assert register.best(target).dataset == first


def test_predictions_need_no_labels_and_are_the_same_without(open_project, synthetic_csvs, tmp_path):
    target = open_project()
    etl.etl(target, None, QUIET)
    train.train(target, None, QUIET)
    register.register(target, None, QUIET)
    week = max(synthetic_csvs.glob("*.csv"))
    with week.open(newline="") as labelled, (tmp_path / "week.csv").open("w", newline="") as plain:
        rows = [{k: v for k, v in row.items() if k != "BASKET_PRICE_SENSITIVITY"} for row in csv.DictReader(labelled)]
        writer = csv.DictWriter(plain, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    predict.predict(target, week, tmp_path / "a.csv", None, QUIET)
    predict.predict(target, tmp_path / "week.csv", tmp_path / "b.csv", None, QUIET)
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "b.csv").read_text()
    # Scoring a file doesn't make it what the next training is made of.
    assert train.latest_dataset(target).rows["gold"] == 6_000


def test_predictions_to_a_file_of_another_kind_are_refused_before_any_work(open_project, tmp_path):
    with pytest.raises(UsageError, match=r"\.csv or \.parquet"):
        predict.predict(open_project(), Path("x.csv"), tmp_path / "out.xlsx", None, QUIET)
    with pytest.raises(UsageError, match="doesn't exist"):
        predict.predict(open_project(), Path("x.csv"), tmp_path / "no" / "out.csv", None, QUIET)


def test_an_unknown_run_or_version_is_told_with_what_there_is(open_project):
    target = open_project()
    etl.etl(target, None, QUIET)
    train.train(target, None, QUIET)
    register.register(target, None, QUIET)
    with pytest.raises(UsageError, match="no run 'zzz'"):
        register.register(target, "zzz", QUIET)
    with pytest.raises(UsageError, match="no version 7") as error:
        models.find(target, 7)
    assert "Registered: 1" in error.value.fix
