"""teardown: everything of this project goes, and then somebody else looks whether it is gone."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import Any

from retailops.errors import TargetFailed
from retailops.lifecycle.outcome import Outcome
from retailops.ports import NOTHING, Change, Target
from retailops.progress import SILENT, Progress

_NAMED = 5  # things that the error names; the result names all of them


def planned(target: Target, keep: AbstractSet[str] = NOTHING, progress: Progress = SILENT) -> list[Change]:
    """What `teardown` would remove, in its order."""
    return target.removal.removals(keep, progress)


def spared(target: Target, progress: Progress) -> Outcome | None:
    """For a scheduler: why nothing is done yet; None when the environment's time is up."""
    expires = target.infra.standing(progress, drift=False).expires
    if expires is not None and expires <= datetime.now(UTC):
        return None
    return Outcome({**_told([], [], []), "expires": expires.astimezone(UTC).isoformat() if expires else None})


def teardown(
    target: Target, progress: Progress, keep: AbstractSet[str] = NOTHING, removed: Sequence[Change] | None = None
) -> Outcome:
    """Remove all of it, then audit. Something left is a failure (exit 5) that names it; nothing there is success.

    `removed` is what `planned` has just said, where somebody has asked it already.
    """
    going = planned(target, keep, progress) if removed is None else removed
    progress.stage("removing")
    target.removal.remove(progress, keep)
    progress.stage("auditing what is left")
    standing = target.removal.left(keep, progress)
    left = [change for change in standing if change.action != "kept"]
    kept = [change for change in standing if change.action == "kept"]
    failed = _failure(left) if left else None
    still = {(change.kind, change.name) for change in standing}
    gone = [change for change in going if (change.kind, change.name) not in still]
    return Outcome(_told(gone, left, kept), (*gone, *standing), failed=failed)


def _told(gone: Sequence[Change], left: Sequence[Change], kept: Sequence[Change]) -> dict[str, Any]:
    return {
        "removed": len(gone),
        "left": [_row(change) for change in left],
        "left_monthly_usd": _monthly(left),
        "kept": [_row(change) for change in kept],
        "kept_monthly_usd": _monthly(kept),
    }


def _row(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "name": change.name,
        "detail": change.detail,
        "monthly_usd": change.monthly_usd if change.priced else None,
        "fix": change.fix,
    }


def _monthly(changes: Sequence[Change]) -> float:
    """Of those with a known price."""
    return round(sum(change.monthly_usd for change in changes if change.priced), 2)


def _failure(left: Sequence[Change]) -> TargetFailed:
    names = ", ".join(f"{change.kind} {change.name}" for change in left[:_NAMED])
    more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
    monthly = _monthly(left)
    costs = f", ${monthly:,.2f} a month" if monthly else ""
    count = "1 thing is left" if len(left) == 1 else f"{len(left)} things are left"
    return TargetFailed(
        f"{count}{costs}: {names}{more}.", "Run retailops teardown again; if they stay, end them by hand."
    )
