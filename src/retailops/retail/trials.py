"""Tuning in pieces, for a search that is run elsewhere: the ground that all trials share, and one trial on it.

The ground is made once, and a trial only reads it: the features are learned once whoever searches, and parameters score
what they score in a search on one machine.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from retailops import files
from retailops.errors import DataError
from retailops.progress import Progress
from retailops.retail import algorithms, training, tuning
from retailops.retail.algorithms.space import Dimension, Integer, Real
from retailops.retail.dataset import Dataset
from retailops.retail.split import Fold
from retailops.retail.tuning import METRIC, Ground

GROUND = "ground"  # the input of a trial, and the parameter that asks for it
_ARRAYS, _TOLD = "ground.npz", "ground.json"


def ground(
    inputs: Mapping[str, Path], output: Path, parameters: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """Leave the ground in `output`; the result says how what is used without tuning does on it.

    Returns {"parameters", "scores", "seconds", "folds"}.
    """
    options = tuning.options({name: value for name, value in parameters.items() if name != GROUND})
    name = options.algorithm
    space, algorithm = algorithms.space(name), algorithms.load(name)
    usual = algorithms.parameters(algorithm, name, options.train.params.get(name, {}))
    everything = training.read(Dataset.open(inputs["dataset"]), options.train.threads, progress)
    found = tuning.prepare(everything, options, progress)
    progress.stage("judging the parameters that are used without tuning", len(found.folds), "folds")
    began = time.monotonic()
    scores = []
    for value in tuning.scores(algorithm, usual, found, options.train):
        scores.append(value)
        progress.advance(len(scores))
    _keep(found, output)
    told = {"usual": usual, "seed": options.train.seed}
    files.write_json(output / _TOLD, told)
    return {
        "parameters": {parameter: usual[parameter] for parameter in space},
        "scores": scores,
        "seconds": time.monotonic() - began,
        "folds": [fold.describe() for fold in found.folds],
    }


def trial(
    inputs: Mapping[str, Path], output: Path, parameters: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """Score one set of parameters, `hyperparameters` as texts; after each fold the mean so far is told as a note.

    Returns {"parameters", "scores", "seconds"}.
    """
    name, folder = parameters["algorithm"], inputs[GROUND]
    told: Mapping[str, Any] = _told(folder)
    drawn = read(algorithms.space(name), parameters["hyperparameters"])
    options = training.TrainOptions(algorithms=(name,), seed=told["seed"], threads=parameters["threads"])
    began, scores = time.monotonic(), list[float]()
    for value in tuning.scores(algorithms.load(name), {**told["usual"], **drawn}, _kept(folder), options):
        scores.append(value)
        progress.note(f"{METRIC}={np.mean(scores):.6f}")
    return {"parameters": drawn, "scores": scores, "seconds": time.monotonic() - began}


def read(space: Mapping[str, Dimension], texts: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of the space as what they are; DataError when one is missing or outside."""
    found: dict[str, Any] = {}
    for name, dimension in space.items():
        text = texts.get(name, "").strip('"')
        try:
            value: Any = text
            if isinstance(dimension, Integer | Real):
                value = int(text) if isinstance(dimension, Integer) else float(text)
        except ValueError:
            value = None
        if not dimension.holds(value):
            raise DataError(f"{name} = {text or 'nothing'} isn't in its space: {dimension}", "Search in that space.")
        found[name] = value
    return found


def _keep(found: Ground, output: Path) -> None:
    np.savez(
        output / _ARRAYS,
        x=found.x,
        y=found.y,
        spend=found.spend,
        learned=np.stack([fold.learned for fold in found.folds]),
        judged=np.stack([fold.judged for fold in found.folds]),
    )


def _kept(folder: Path) -> Ground:
    with np.load(folder / _ARRAYS, allow_pickle=False) as held:
        folds = [
            Fold("week", 0, 0, learned, judged) for learned, judged in zip(held["learned"], held["judged"], strict=True)
        ]
        return Ground(held["x"], held["y"], held["spend"], folds)


def _told(folder: Path) -> Mapping[str, Any]:
    told = files.read_json(folder / _TOLD)
    if not isinstance(told, dict):
        raise DataError(f"{folder} isn't the ground of a tuning.", "Run the tuning again.")
    return told
