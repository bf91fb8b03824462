"""infra: what a target must have before anything can run on it."""

from __future__ import annotations

from retailops.lifecycle.outcome import Outcome
from retailops.ports import Change, Target
from retailops.progress import Progress


def planned(target: Target) -> list[Change]:
    """What `up` would create."""
    return target.infra.changes()


def up(target: Target, progress: Progress) -> Outcome:
    """Create what is missing; nothing missing is success."""
    changes = target.infra.changes()
    if changes:
        progress.stage("creating")
        target.infra.apply(progress)
    return Outcome(
        {"created": len(changes), "monthly_usd": sum(change.monthly_usd for change in changes)}, tuple(changes)
    )
