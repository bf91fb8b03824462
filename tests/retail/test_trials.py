"""Tuning in pieces: parameters that come as texts, and a trial on the ground that another process left."""

from __future__ import annotations

from pathlib import Path

import pytest

from retailops.errors import DataError
from retailops.progress import Silent
from retailops.retail import trials, tuning
from retailops.retail.algorithms.space import Choice, Integer, Real
from retailops.retail.dataset import Dataset

SPACE = {"depth": Integer(2, 9), "rate": Real(0.02, 0.4, log=True), "kind": Choice(("gini", "entropy"))}
TEXTS = {"depth": "5", "rate": "0.25", "kind": '"gini"', "worker": "[]", "_tuning_objective_metric": "macro_f1"}
PARAMETERS = {
    "algorithm": "decision_tree",
    "trials": 2,
    "threads": 1,
    "train": {"sweeps": 3, "folds": 2, "params": {"decision_tree": {"max_depth": 1}}},
}


class Heard(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_texts_become_the_parameters_of_the_space() -> None:
    assert trials.read(SPACE, TEXTS) == {"depth": 5, "rate": 0.25, "kind": "gini"}


@pytest.mark.parametrize("changed", [{"depth": "1"}, {"depth": "x"}, {"rate": "nan"}, {"kind": "log"}, {"rate": ""}])
def test_a_text_outside_the_space_is_refused_by_its_name(changed: dict[str, str]) -> None:
    with pytest.raises(DataError, match=next(iter(changed))):
        trials.read(SPACE, {**TEXTS, **changed})


@pytest.mark.slow
def test_a_trial_scores_what_it_scores_in_a_search(small_dataset: Dataset, tmp_path: Path) -> None:
    heard = Heard()
    quiet, inputs = Silent(), {"dataset": small_dataset.folder}
    searched = tuning.job(inputs, tmp_path / "search", PARAMETERS, quiet)
    (tmp_path / "ground").mkdir()
    ground = trials.ground(inputs, tmp_path / "ground", {**PARAMETERS, "ground": True}, quiet)
    start, tried = searched["trials"]
    assert (ground["parameters"], ground["scores"]) == (start["parameters"], start["scores"])
    assert ground["folds"] == searched["folds"]
    given = {
        "algorithm": "decision_tree",
        "threads": 1,
        "hyperparameters": {name: str(value) for name, value in tried["parameters"].items()},
    }
    alone = trials.trial({"ground": tmp_path / "ground"}, tmp_path, given, heard)
    assert alone["scores"][: len(tried["scores"])] == tried["scores"]
    assert heard.notes[-1] == f"macro_f1={sum(alone['scores']) / len(alone['scores']):.6f}"
