"""The search for parameters by optuna: what was tried is in a journal, so a search that was killed goes on.

Each trial draws with a seed of its own, from the trials before it: a search that was cut off anywhere and run again
ends in the same trials as one that wasn't. The journal is optuna's own format; its dashboard can open it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from retailops import files
from retailops.progress import Progress
from retailops.retail.algorithms.space import Choice, Dimension, Integer

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

Parameters = Mapping[str, Any]
# Parameters → the score of each fold, made as it is asked for: a pruned trial never pays for the later ones.
Objective = Callable[[Parameters], Iterable[float]]

_RANDOM_TRIALS = 8  # drawn at random before the sampler begins to learn from them
_JUDGED_TRIALS = 5  # finished before one may be pruned
_SCORES, _SECONDS = "scores", "seconds"


@dataclass(frozen=True)
class Plan:
    """How long to search: `trials` at most, and no longer once `patience` of them brought no better one."""

    trials: int
    patience: int
    folds: int  # scores that a whole trial has
    seed: int


@dataclass(frozen=True)
class Trial:
    """One set of parameters. Number 0 is what would be used without tuning."""

    number: int
    parameters: Parameters
    scores: tuple[float, ...]  # of the folds in order; fewer when it was pruned
    pruned: bool
    seconds: float

    @property
    def value(self) -> float:
        return float(np.mean(self.scores))

    def describe(self) -> dict[str, Any]:
        return {
            "trial": self.number,
            "value": self.value,
            "parameters": dict(self.parameters),
            "scores": list(self.scores),
            "pruned": self.pruned,
            "seconds": self.seconds,
        }


class SoleWriter:
    """No lock: a job is one process, and a lock of optuna's outlives a killed holder by half a minute."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        return None


_SOLE_WRITER: Any = SoleWriter()


def search(
    space: Mapping[str, Dimension],
    start: Parameters,
    objective: Objective,
    plan: Plan,
    journal: Path,
    progress: Progress,
) -> list[Trial]:
    """Try `start`, then what the sampler proposes; the higher the mean score, the better.

    start: a value for every parameter of the space; it may lie outside. journal: where the trials are kept; those of an
    earlier, unfinished search are taken over.
    """
    study, distributions = _open(journal), {name: _distribution(each) for name, each in space.items()}
    done = _trials(study, start)
    progress.stage("searching parameters", total=plan.trials, unit="trials")
    while len(done) < plan.trials and not exhausted(done, plan.patience):
        progress.advance(len(done))
        if done:
            _try(study, distributions, objective, plan.folds, plan.seed + len(done))
        else:
            inside = {name: distributions[name] for name, each in space.items() if each.holds(start[name])}
            _try_start(study, inside, start, objective)
        done = _trials(study, start)
        progress.note(_told(done))
    progress.advance(len(done))
    return done


def best(trials: list[Trial]) -> Trial:
    """The highest mean over all folds; of equal ones the first."""
    return max((trial for trial in trials if not trial.pruned), key=lambda trial: (trial.value, -trial.number))


def exhausted(trials: list[Trial], patience: int) -> bool:
    """Whether the last `patience` trials brought nothing better."""
    return bool(trials) and len(trials) - 1 - best(trials).number >= patience


def _told(done: list[Trial]) -> str:
    last, leader = done[-1], best(done)
    outcome = "pruned" if last.pruned else "the best so far" if leader is last else f"the best is trial {leader.number}"
    return f"trial {last.number}: {last.value:.4f}, {outcome}"


def _open(journal: Path) -> Study:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    journal.parent.mkdir(parents=True, exist_ok=True)
    _drop_half_a_line(journal)
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(journal), lock_obj=_SOLE_WRITER)),
        study_name="tuning",
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_JUDGED_TRIALS),
        load_if_exists=True,
    )
    for trial in study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)  # what a killed search was at
    return study


def _drop_half_a_line(journal: Path) -> None:
    """Optuna reads over a last line that was cut off, but would write the next one right behind it."""
    if journal.exists():
        content = journal.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            files.write_bytes(journal, whole)


def _distribution(dimension: Dimension) -> BaseDistribution:
    from optuna import distributions

    if isinstance(dimension, Choice):
        return distributions.CategoricalDistribution(dimension.options)
    if isinstance(dimension, Integer):
        return distributions.IntDistribution(dimension.low, dimension.high, log=dimension.log)
    return distributions.FloatDistribution(dimension.low, dimension.high, log=dimension.log)


def _try(study: Study, distributions: dict[str, BaseDistribution], objective: Objective, folds: int, seed: int) -> None:
    from optuna.samplers import TPESampler
    from optuna.trial import TrialState

    study.sampler = TPESampler(seed=seed, n_startup_trials=_RANDOM_TRIALS)
    trial = study.ask(distributions)
    began, scores, pruned = time.monotonic(), list[float](), False
    for score in objective(trial.params):
        scores.append(score)
        trial.report(float(np.mean(scores)), len(scores))
        pruned = len(scores) < folds and trial.should_prune()
        if pruned:
            break
    trial.set_user_attr(_SCORES, scores)
    trial.set_user_attr(_SECONDS, time.monotonic() - began)
    if pruned:
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, float(np.mean(scores)))


def _try_start(study: Study, inside: dict[str, BaseDistribution], start: Parameters, objective: Objective) -> None:
    """What is used without tuning: never pruned. The sampler is told of the parameters that lie in the space."""
    from optuna.trial import create_trial

    began = time.monotonic()
    scores = [float(score) for score in objective(start)]
    study.add_trial(
        create_trial(
            value=float(np.mean(scores)),
            params={name: start[name] for name in inside},
            distributions=inside,
            intermediate_values={step: float(np.mean(scores[:step])) for step in range(1, len(scores) + 1)},
            user_attrs={_SCORES: scores, _SECONDS: time.monotonic() - began},
        )
    )


def _trials(study: Study, start: Parameters) -> list[Trial]:
    """Those that came to an end, numbered in their order."""
    from optuna.trial import TrialState

    ended = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE, TrialState.PRUNED])
    return [_trial(number, frozen, start) for number, frozen in enumerate(ended)]


def _trial(number: int, frozen: FrozenTrial, start: Parameters) -> Trial:
    return Trial(
        number=number,
        parameters=frozen.params if number else dict(start),
        scores=tuple(frozen.user_attrs[_SCORES]),
        pruned=frozen.state.name == "PRUNED",
        seconds=frozen.user_attrs[_SECONDS],
    )
