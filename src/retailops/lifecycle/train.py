"""train: the newest dataset → a scorecard and a bundle for each algorithm, recorded as runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from retailops import files
from retailops.config import Config
from retailops.errors import NotReady
from retailops.lifecycle import fingerprint
from retailops.lifecycle.outcome import Outcome
from retailops.ports import Job, JobResult, Run, Target
from retailops.progress import Progress
from retailops.retail import gates
from retailops.retail.dataset import Dataset
from retailops.retail.training import selected


def train(
    target: Target,
    names: Sequence[str] | None,
    progress: Progress,
    *,
    params: Mapping[str, Mapping[str, Any]] | None = None,
    tuned_by: str = "",
) -> Outcome:
    """Train the algorithms named (None: those of retail.yaml) on the newest labelled dataset.

    params: by algorithm, instead of train.params of retail.yaml; tuned_by: the tuning that they come from.
    """
    run_job = target.jobs.run  # a target without jobs says so before its lake is asked
    dataset = latest_dataset(target)
    chosen = selected(names, target.config.train.algorithms)
    given = target.config.train.params if params is None else params
    done = run_job(job(target.config, dataset, chosen, given), progress)
    runs = {name: record(target, dataset, name, done, tuned_by) for name in chosen}
    limits = target.config.gates.model_dump()
    shown = {
        "dataset": dataset.version,
        "scorecards": {name: dict(run.scorecard) for name, run in runs.items()},
        "runs": {name: run.id for name, run in runs.items()},
        "baselines": done.result["baselines"],
        "split": done.result["split"],
        "leanings": done.result["leanings"],
        "gates": {
            name: [gate.as_dict() for gate in gates.of_scorecard(run.scorecard, limits)] for name, run in runs.items()
        },
        "reused": done.reused,
    }
    shown["report"] = str(write_report({**shown, "project": target.config.project.name}, dataset, done.folder))
    return Outcome(shown)


def latest_dataset(target: Target) -> Dataset:
    """The newest dataset with labels. NotReady when there is none."""
    for dataset in reversed(target.lake.datasets()):
        if dataset.labelled:
            return dataset
    raise NotReady("There is no labelled dataset to train on.", "Run first: retailops etl")


def job(config: Config, dataset: Dataset, names: Sequence[str], params: Mapping[str, Mapping[str, Any]]) -> Job:
    """The training job; its key leaves out the number of threads, which doesn't change the result."""
    decides = {
        "algorithms": list(names),
        "feature_set": config.features.set,
        "folds": config.features.folds,
        "sweeps": config.features.sweeps,
        "test_weeks": config.train.test_weeks,
        "max_baskets": config.train.max_baskets,
        "seed": config.train.seed,
        "params": {name: dict(params[name]) for name in names if name in params},
    }
    key = fingerprint.key("train", dataset.version, decides, fingerprint.code())
    return Job("train", key, {"dataset": dataset.folder}, {**decides, "threads": config.etl.threads})


def record(target: Target, dataset: Dataset, name: str, done: JobResult, tuned_by: str) -> Run:
    """Track one algorithm's run. Its id comes from the bundle and the data, so that a repeated training is one run."""
    found = done.result["runs"][name]
    return target.models.record(
        Run(
            id=fingerprint.key(dataset.version, name, found["hash"])[:12],
            algorithm=name,
            dataset=dataset.version,
            bundle=done.folder / found["bundle"],
            bundle_hash=found["hash"],
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            parameters=found["parameters"],
            scorecard=found["scorecard"],
            tuned_by=tuned_by,
        )
    )


def write_report(shown: dict[str, Any], dataset: Dataset, folder: Path) -> Path:
    """The page with plots, beside the bundles."""
    from retailops.retail.pages import training_page

    report = folder.parent / "report.html"
    files.write_text(report, training_page({**shown, "rows": dataset.rows, "weeks": list(dataset.weeks)}))
    return report
