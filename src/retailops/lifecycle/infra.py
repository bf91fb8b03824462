"""infra: what a target must have before anything can run on it, with its price first."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from retailops.lifecycle import cost, doctor
from retailops.lifecycle.outcome import Outcome
from retailops.ports import AS_IT_STANDS, Change, Standing, Target, Terms
from retailops.progress import SILENT, Progress


def planned(target: Target, terms: Terms = AS_IT_STANDS, progress: Progress = SILENT) -> list[Change]:
    """What `up` would do."""
    return target.infra.changes(terms, progress)


def plan(target: Target, terms: Terms, progress: Progress, allow_over_budget: bool) -> Outcome:
    """What `up` would do and what everything then costs a month; over the budget is a missed gate."""
    changes = planned(target, terms, progress)
    bill = cost.cost(target, allow_over_budget)
    return Outcome({**_counts(changes), **bill.result}, tuple(changes), failed=bill.failed)


def afford(target: Target, allow_over_budget: bool) -> None:
    """GateFailed when the estimate is above the budget and nobody said that it may be."""
    problem = None if allow_over_budget else cost.over_budget(target, cost.estimate(target))
    if problem:
        raise problem


def up(target: Target, progress: Progress, terms: Terms = AS_IT_STANDS) -> Outcome:
    """Create what is missing; nothing missing is success. NotReady when it couldn't work, before anything is paid."""
    if cost.estimate(target).monthly_usd and not target.infra.standing(progress, drift=False).resources:
        problem = doctor.refusal(doctor.examined(target, progress))
        if problem:
            raise problem
    changes = target.infra.apply(progress, terms)
    return Outcome({**_counts(changes), "monthly_usd": cost.estimate(target).monthly_usd}, tuple(changes))


def status(target: Target, progress: Progress) -> Outcome:
    """What stands, until when, and what was changed behind our back."""
    standing = target.infra.standing(progress)
    return Outcome(_described(standing), standing.drift)


def park(target: Target, progress: Progress, parked: bool) -> Outcome:
    """Take away what is paid by the hour and can be had again, or bring it back as it was."""
    changes = target.infra.apply(progress, Terms(parked=parked))
    return Outcome({**_counts(changes), "parked": parked}, tuple(changes))


def unlock(target: Target) -> Outcome:
    """Let go of the lock of a command that died."""
    broken = target.infra.unlock()
    return Outcome({"broken": [change.detail for change in broken]}, tuple(broken))


def _counts(changes: list[Change]) -> dict[str, Any]:
    count = Counter(change.action for change in changes)
    names = {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted"}
    return {word: sum(count[action] for action in count if action == name) for name, word in names.items()}


def _described(standing: Standing) -> dict[str, Any]:
    expires = standing.expires
    return {
        "resources": standing.resources,
        "parked": standing.parked,
        "expires": expires.astimezone(UTC).isoformat() if expires else None,
        "expired": bool(expires and expires <= datetime.now(UTC)),
        "drift": [f"{change.action} {change.kind} {change.name}: {change.detail}" for change in standing.drift],
        **standing.detail,
    }
