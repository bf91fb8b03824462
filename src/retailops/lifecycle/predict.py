"""predict: a file of transactions → one prediction a basket."""

from __future__ import annotations

from pathlib import Path

from retailops import files
from retailops.errors import UsageError
from retailops.lifecycle import fingerprint
from retailops.lifecycle.etl import build
from retailops.lifecycle.models import find
from retailops.lifecycle.outcome import Outcome
from retailops.ports import Job, Target
from retailops.progress import Progress
from retailops.retail import scoring

FORMATS = (".csv", ".parquet")


def predict(target: Target, input: Path, output: Path, version: int | None, progress: Progress) -> Outcome:
    """Score the baskets of `input`, labelled or not, with a version (None: the newest) into a .csv or .parquet file."""
    if output.suffix.lower() not in FORMATS:
        raise UsageError(f"{output}: predictions are written as {' or '.join(FORMATS)}.", "Name the file so.")
    if not output.absolute().parent.is_dir():
        raise UsageError(
            f"{output}: the folder {output.absolute().parent} doesn't exist.", "Create it, or name another."
        )
    model = find(target, version)
    dataset, _ = build(target, input, progress, labelled=False)
    inputs = {"dataset": dataset.folder, "bundle": model.run.bundle}
    key = fingerprint.key("predict", dataset.version, model.run.bundle_hash, fingerprint.code())
    done = target.jobs.run(Job("predict", key, inputs, {"threads": target.config.etl.threads}), progress)
    with files.replacing(output.absolute()) as unfinished:
        scoring.export(done.folder / scoring.OUTPUT, unfinished)
    return Outcome({"output": str(output), "version": model.version, "rows": dataset.rows, **done.result})
