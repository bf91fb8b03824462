"""Tuning: which parameters of one algorithm do best in the training weeks, and whether that is more than noise.

The test weeks of the scorecard are never seen: they are left out before anything is learned, and parameters are judged
by steps forward in time inside the training weeks. The features are those of training, learned once, out of fold over
all training weeks, and shared by all trials: no basket's features know its own label, but they do know later training
weeks, so a trial's score compares parameters and isn't what the model will reach.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retailops.errors import DataError
from retailops.progress import Progress
from retailops.retail import algorithms, split, training
from retailops.retail.checkpoint import NOWHERE, Checkpoint
from retailops.retail.columns import LABELS
from retailops.retail.dataset import Dataset
from retailops.retail.encoder import as_matrix
from retailops.retail.kept import FOLDER, Kept
from retailops.retail.scorecard import score
from retailops.retail.search import Parameters, Plan, Trial, best, exhausted, search
from retailops.retail.split import Fold
from retailops.retail.tables import Baskets
from retailops.retail.training import TrainOptions

JOURNAL = "trials.log"
METRIC = "macro_f1"
# The best of many trials is partly the luckiest, so its gain must be this many standard errors to count.
NOISE = 2.0


@dataclass(frozen=True)
class TuneOptions:
    """What decides a tuning besides the data; `train` is what an ordinary training would use."""

    algorithm: str
    train: TrainOptions
    trials: int = 30
    patience: int = 12
    folds: int = 4
    max_baskets: int = 40_000


@dataclass(frozen=True)
class Ground:
    """What all trials share: the baskets of the training side, encoded, and the steps forward through their weeks."""

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    spend: NDArray[Any]
    folds: list[Fold]


def job(inputs: Mapping[str, Path], output: Path, parameters: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """The worker's entry: inputs["dataset"] is a dataset folder."""
    return tune(Dataset.open(inputs["dataset"]), output.with_name(FOLDER), options(parameters), progress)


def options(parameters: Mapping[str, Any]) -> TuneOptions:
    """What a job's parameters ask for."""
    given = {name: value for name, value in parameters.items() if name not in {"train", "threads", "checkpoints"}}
    name, threads = given["algorithm"], parameters["threads"]
    return TuneOptions(**given, train=TrainOptions(**parameters["train"], algorithms=(name,), threads=threads))


def tune(dataset: Dataset, checkpoint: Path, options: TuneOptions, progress: Progress) -> dict[str, Any]:
    """Search the algorithm's space and tell whether the best is better than what is used without tuning.

    Returns {"algorithm", "metric", "trials", "best", "gain", "standard_error", "improved", "tuned", "folds",
    "stopped"}: `tuned` are the parameters to set, none of them when the best isn't better by more than noise.
    UsageError when the algorithm has no space, DataError when the data has no labels or too few weeks.
    """
    name = options.algorithm
    space, algorithm = algorithms.space(name), algorithms.load(name)
    usual = algorithms.parameters(algorithm, name, options.train.params.get(name, {}))
    everything = training.read(dataset, options.train.threads, progress)
    # The leanings beside the trials: what takes longest is learned once, however often the search is cut off.
    learned = Kept(checkpoint, training.decisive(dataset, options.train), progress).checkpoint(training.LEARNED, {})
    ground = prepare(everything, options, progress, learned)

    def objective(parameters: Parameters) -> Iterator[float]:
        return scores(algorithm, {**usual, **parameters}, ground, options.train)

    start = {parameter: usual[parameter] for parameter in space}
    plan = Plan(options.trials, options.patience, len(ground.folds), options.train.seed)
    trials = search(space, start, objective, plan, checkpoint / JOURNAL, progress)
    learned.clear()
    described = {"algorithm": name, "trials": options.trials, "patience": options.patience}
    return told(described, trials, [fold.describe() for fold in ground.folds])


def told(asked: Mapping[str, Any], trials: list[Trial], folds: list[dict[str, Any]]) -> dict[str, Any]:
    """What `tune` returns, of trials that anybody made; asked: algorithm, trials and patience."""
    return {
        "algorithm": asked["algorithm"],
        "metric": METRIC,
        "trials": [trial.describe() for trial in trials],
        "folds": folds,
        "stopped": len(trials) < asked["trials"] and exhausted(trials, asked["patience"]),
        **verdict(trials),
    }


def prepare(everything: Baskets, options: TuneOptions, progress: Progress, checkpoint: Checkpoint = NOWHERE) -> Ground:
    """The training side alone, as training learns and encodes it; at most max_baskets of it for the trials."""
    sides = training.divide(everything, options.train)
    baskets, y = sides.training, sides.train_y
    learned = training.learn(baskets, y, options.train, progress, checkpoint)
    rows = np.arange(len(y))
    if len(rows) > options.max_baskets:
        drawn = np.random.default_rng(options.train.seed).choice(rows, options.max_baskets, replace=False)
        rows = np.sort(drawn)
    gold = {name: baskets.gold[name][rows] for name in ("shop_week", "shop_day", "spend_pence")}
    folds = [
        fold
        for fold in split.forward(gold["shop_week"], gold["shop_day"], options.folds)
        if len(np.unique(y[rows][fold.learned])) == len(LABELS)
    ]
    if len(folds) < 2:
        raise DataError(
            "The training weeks can't be cut so that each part has baskets of every class before it.",
            "Load more weeks, or raise tune.max_baskets.",
        )
    return Ground(as_matrix(learned.x)[rows], y[rows], gold["spend_pence"], folds)


def scores(
    algorithm: algorithms.Algorithm, params: Mapping[str, Any], ground: Ground, options: TrainOptions
) -> Iterator[float]:
    """Macro F1 of each fold, made as it is asked for."""
    for fold in ground.folds:
        model = algorithm.fit(ground.x[fold.learned], ground.y[fold.learned], params, options.seed, options.threads)
        predicted = algorithm.probabilities(model, ground.x[fold.judged]).argmax(axis=1)
        yield float(score(ground.y[fold.judged], predicted, ground.spend[fold.judged])[METRIC])


def verdict(trials: list[Trial]) -> dict[str, Any]:
    """The best trial against trial 0, what is used without tuning, fold by fold.

    gain: the mean of the folds' differences; standard_error: that mean's. The best counts as better only when the gain
    is more than NOISE standard errors; the folds are compared in pairs, since an easy week is easy for both.
    """
    start, winner = trials[0], best(trials)
    differences = np.subtract(winner.scores, start.scores)
    gain = float(differences.mean())
    error = float(differences.std(ddof=1) / np.sqrt(len(differences)))
    improved = winner is not start and gain > NOISE * error
    return {
        "best": winner.number,
        "gain": gain,
        "standard_error": error,
        "improved": improved,
        "tuned": dict(winner.parameters) if improved else {},
    }
