"""tune: search an algorithm's parameters in the training weeks; what is better than noise becomes a run."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

from retailops import files
from retailops.config import Config
from retailops.lifecycle import fingerprint
from retailops.lifecycle.outcome import Outcome
from retailops.lifecycle.train import latest_dataset, train
from retailops.ports import Job, Target
from retailops.progress import Progress
from retailops.retail import algorithms
from retailops.retail.dataset import Dataset


def tune(target: Target, name: str, trials: int | None, progress: Progress) -> Outcome:
    """Tune one algorithm on the newest labelled dataset (None: tune.trials of retail.yaml), then train it.

    Trained is what the search found, or what is used without tuning when that is as good within the noise.
    """
    algorithms.space(name)  # refused before anything is read
    dataset = latest_dataset(target)
    ordered = job(target.config, dataset, name, trials or target.config.tune.trials)
    done = target.jobs.run(ordered, progress)
    found = done.result
    params = {**target.config.train.params.get(name, {}), **found["tuned"]}
    tuned_by = ordered.key if found["improved"] else ""
    trained = train(target, [name], progress, params={name: params} if params else {}, tuned_by=tuned_by)
    shown: dict[str, Any] = {
        **found,
        "study": ordered.key,
        "dataset": dataset.version,
        "run": trained.result["runs"][name],
        "scorecard": trained.result["scorecards"][name],
        "gates": trained.result["gates"][name],
        "training_report": trained.result["report"],
        "reused": done.reused,
    }
    report = done.folder.parent / "report.html"
    shown["report"] = str(_write_report({**shown, "project": target.config.project.name}, report))
    return Outcome(shown)


def job(config: Config, dataset: Dataset, name: str, trials: int) -> Job:
    """The tuning job; its key leaves out the number of threads, which doesn't change the result."""
    training = {
        "feature_set": config.features.set,
        "folds": config.features.folds,
        "sweeps": config.features.sweeps,
        "test_weeks": config.train.test_weeks,
        "max_baskets": config.train.max_baskets,
        "seed": config.train.seed,
        "params": {name: config.train.params[name]} if name in config.train.params else {},
    }
    decides = {**config.tune.model_dump(), "algorithm": name, "trials": trials, "train": training}
    key = fingerprint.key("tune", dataset.version, decides, fingerprint.code(), metadata.version("optuna"))
    return Job("tune", key, {"dataset": dataset.folder}, {**decides, "threads": config.etl.threads})


def _write_report(shown: dict[str, Any], report: Path) -> Path:
    from retailops.retail.pages import tuning_page

    files.write_text(report, tuning_page(shown))
    return report
