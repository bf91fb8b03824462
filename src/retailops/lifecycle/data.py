"""data: the built-in synthetic transactions, for a first run without any file of one's own."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from retailops.lifecycle import fingerprint
from retailops.lifecycle.outcome import Outcome
from retailops.ports import Target
from retailops.progress import Progress
from retailops.retail import synth as generator
from retailops.retail.synth import SynthOptions


def synth(output: Path, options: SynthOptions, format: str, progress: Progress) -> Outcome:
    """Write synthetic weekly files into `output`; the same options give the same bytes."""
    written = generator.write(output, options, progress, format=format)
    return Outcome({"output": str(output), "options": asdict(options), **written})


def query(target: Target, sql: str, limit: int, progress: Progress) -> Outcome:
    """Ask the newest dataset; what it cost to find out comes with the rows."""
    return Outcome(asdict(target.lake.ask(sql, limit, progress)))


def source(target: Target, progress: Progress) -> Path:
    """The transactions that retail.yaml names: the user's own, or the synthetic ones, generated once."""
    config = target.config
    if config.data.input is not None:
        return config.data.input
    wanted = config.data.synthetic
    options = SynthOptions(baskets=wanted.baskets, weeks=wanted.weeks, seed=wanted.seed, noise=wanted.noise)
    folder = target.lake.scratch() / "synthetic" / fingerprint.key(asdict(options), generator.VERSION)
    if not (folder / "finished").exists():
        generator.write(folder / "weeks", options, progress, format="csv")
        (folder / "finished").touch()
    return folder / "weeks"
