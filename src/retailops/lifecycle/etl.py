"""etl: raw files → silver → gold, with every bad row in quarantine and every count adding up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from retailops.lifecycle import data, fingerprint
from retailops.lifecycle.outcome import Outcome
from retailops.ports import Job, Target
from retailops.progress import Progress
from retailops.retail.dataset import Dataset


def etl(target: Target, input: Path | None, progress: Progress) -> Outcome:
    """Make a dataset of `input`, or of what retail.yaml names. With nothing changed, nothing is done."""
    dataset, reused = build(target, input or data.source(target, progress), progress)
    return Outcome({**describe(dataset), "reused": reused})


def build(target: Target, source: Path, progress: Progress, *, labelled: bool = True) -> tuple[Dataset, bool]:
    """The dataset of these files, and whether it had been made before."""
    run = target.jobs.run  # a target without jobs says so before anything is uploaded
    raw = target.lake.put(source, progress)
    settings = target.config.etl
    parameters = {
        "max_quarantined": settings.max_quarantined,
        "memory_mb": settings.memory_mb,
        "threads": settings.threads,
        "labelled": labelled,
    }
    # Memory and threads change how long it takes, not what comes out.
    key = fingerprint.key("etl", raw.key, settings.max_quarantined, labelled, fingerprint.code())
    done = run(Job("etl", key, {"source": raw.folder}, parameters), progress)
    return target.lake.publish(done.folder), done.reused


def describe(dataset: Dataset) -> dict[str, Any]:
    """What `etl --json` promises: dataset and rows; and where the zones are."""
    return {
        "dataset": dataset.version,
        "rows": dataset.rows,
        "weeks": [dataset.weeks[0], dataset.weeks[-1]] if dataset.weeks else [],
        "reasons": dataset.manifest.get("reasons", {}),
        "labels": dataset.manifest.get("labels", {}),
        "folder": str(dataset.folder),
        "quarantine": str(dataset.quarantine),
    }
