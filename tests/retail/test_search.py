"""The search: better parameters found, no time lost on bad ones, and a killed search that ends as one that wasn't."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from retailops.progress import Silent
from retailops.retail.algorithms.space import Choice, Integer, Real
from retailops.retail.search import Plan, Trial, best, exhausted, search

SPACE = {"depth": Integer(1, 20), "rate": Real(0.001, 1.0, log=True), "kind": Choice(("plain", "fancy"))}
START = {"depth": 1, "rate": 0.001, "kind": "plain"}
PLAN = Plan(trials=25, patience=25, folds=3, seed=7)


def scores(parameters: Any) -> Iterator[float]:
    """Best at depth 12, rate 0.1, fancy."""
    base = (
        1 - abs(parameters["depth"] - 12) / 20 - abs(parameters["rate"] - 0.1) - 0.2 * (parameters["kind"] == "plain")
    )
    yield from (base - 0.01, base, base + 0.01)


def run(journal: Path, objective: Any = scores, plan: Plan = PLAN, start: Any = START) -> list[Trial]:
    return search(SPACE, start, objective, plan, journal, Silent())


def told(trials: list[Trial]) -> list[Any]:
    """Everything of the trials but their times."""
    return [(trial.number, dict(trial.parameters), trial.scores, trial.pruned) for trial in trials]


def test_the_first_trial_is_what_is_used_anyway_and_a_better_one_is_found(tmp_path: Path) -> None:
    trials = run(tmp_path / "journal")
    assert len(trials) == 25
    assert trials[0].parameters == START and not trials[0].pruned
    assert best(trials).value > trials[0].value + 0.5
    assert best(trials).parameters["kind"] == "fancy"


def test_a_pruned_trial_never_pays_for_its_later_folds(tmp_path: Path) -> None:
    paid: list[int] = []

    def counted(parameters: Any) -> Iterator[float]:
        paid.append(0)
        for score in scores(parameters):
            paid[-1] += 1
            yield score

    trials = run(tmp_path / "journal", counted)
    assert paid == [len(trial.scores) for trial in trials]
    assert any(trial.pruned for trial in trials)
    assert {count == 3 for count, trial in zip(paid, trials, strict=True) if not trial.pruned} == {True}
    assert all(count < 3 for count, trial in zip(paid, trials, strict=True) if trial.pruned)


class Killed(BaseException):
    """The power goes."""


def dying_after(folds: int) -> Callable[[Any], Iterator[float]]:
    left = [folds]

    def objective(parameters: Any) -> Iterator[float]:
        for score in scores(parameters):
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            yield score

    return objective


def test_a_search_that_was_cut_off_anywhere_ends_in_the_same_trials(tmp_path: Path) -> None:
    whole = told(run(tmp_path / "whole"))
    journal = tmp_path / "cut"
    for folds in (1, 2, 4, 9, 5, 11):
        with pytest.raises(Killed):
            run(journal, dying_after(folds))
        with journal.open("ab") as file:
            file.write(b'{"op_code": 6, "half a li')
    assert told(run(journal)) == whole


def test_a_finished_search_is_not_searched_again(tmp_path: Path) -> None:
    first = run(tmp_path / "journal")
    assert told(run(tmp_path / "journal", dying_after(0))) == told(first)


def test_it_ends_when_nothing_better_comes(tmp_path: Path) -> None:
    plan = Plan(trials=200, patience=6, folds=3, seed=7)
    trials = run(tmp_path / "journal", plan=plan)
    assert len(trials) < 200
    assert exhausted(trials, 6) and not exhausted(trials[:-1], 6)
    assert best(trials).number == len(trials) - 1 - 6


def test_what_is_used_anyway_may_lie_outside_of_the_space(tmp_path: Path) -> None:
    trials = run(tmp_path / "journal", start={"depth": 50, "rate": 0.1, "kind": "unheard of"})
    assert trials[0].parameters["depth"] == 50
    assert all(SPACE[name].holds(value) for trial in trials[1:] for name, value in trial.parameters.items())


def test_another_seed_searches_elsewhere(tmp_path: Path) -> None:
    other = Plan(trials=4, patience=25, folds=3, seed=8)
    assert told(run(tmp_path / "a", plan=other))[1:] != told(run(tmp_path / "b"))[1:4]
