"""teardown: everything of this project goes, and then somebody else looks whether it is gone."""

from __future__ import annotations

from retailops.errors import TargetFailed
from retailops.lifecycle.outcome import Outcome
from retailops.ports import Change, Target
from retailops.progress import Progress


def planned(target: Target) -> list[Change]:
    """What `teardown` would remove, in its order."""
    return target.removal.removals()


def teardown(target: Target, progress: Progress) -> Outcome:
    """Remove all of it, then audit. Something left is a failure (exit 5) that names it; nothing there is success."""
    removed = target.removal.removals()
    progress.stage("removing")
    target.removal.remove(progress)
    progress.stage("auditing what is left")
    left = target.removal.left()
    shown = {"removed": len(removed), "left": [f"{change.kind} {change.name}" for change in left]}
    if not left:
        return Outcome(shown, tuple(removed))
    names = ", ".join(f"{change.kind} {change.name}" for change in left)
    return Outcome(
        shown,
        (*removed, *left),
        failed=TargetFailed(
            f"{len(left)} things are left: {names}.", "Run retailops teardown again; if they stay, end them by hand."
        ),
    )
