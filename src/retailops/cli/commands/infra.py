"""infra, park, wake: what a target must have before anything can run on it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from retailops.cli.call import Call
from retailops.cli.command import Answer, command, group
from retailops.cli.commands.whole import teardown
from retailops.errors import UsageError

if TYPE_CHECKING:
    from retailops.ports import Terms

Expires = Annotated[
    str | None,
    Option("--expires", metavar="DURATION", help="How long it is meant to stand, like 8h or 3d: teardown --expired."),
]
OverBudget = Annotated[bool, Option("--allow-over-budget", help="A cost above the budget is fine.")]
Replace = Annotated[
    bool, Option("--allow-replace", help="A cluster, bucket, key or network may be destroyed and made anew.")
]


def register(app: typer.Typer) -> None:
    infra = group(app, "infra", "Make what the project needs, and take it away.")
    command(infra, "plan", path="infra plan")(plan)
    command(infra, "up", path="infra up")(up)
    command(infra, "status", path="infra status")(status)
    command(infra, "unlock", path="infra unlock")(unlock)
    command(infra, "down", path="infra down")(teardown)
    command(app, "park")(park)
    command(app, "wake")(wake)


def plan(call: Call, expires: Expires = None, allow_over_budget: OverBudget = False) -> Answer:
    """Show what would be created or changed and what a month costs. Changes nothing."""
    from retailops.cli.views import infra as views
    from retailops.lifecycle import infra

    outcome = infra.plan(call.target, _terms(expires), call.progress, allow_over_budget)
    return Answer(outcome, views.planned(outcome.changes), next="retailops infra up")


def up(
    call: Call, expires: Expires = None, allow_over_budget: OverBudget = False, allow_replace: Replace = False
) -> Answer:
    """Create what is missing, after the price was shown and agreed to."""
    from retailops.cli.views import infra as views
    from retailops.lifecycle import infra

    terms = _terms(expires, allow_replace)
    call.confirm_build(terms, allow_over_budget)
    return Answer(infra.up(call.target, call.progress, terms), views.built, next="retailops etl")


def status(call: Call) -> Answer:
    """Tell what stands, until when, and what was changed outside of retailops."""
    from retailops.cli.views import infra as views
    from retailops.lifecycle import infra

    return Answer(infra.status(call.target, call.progress), views.standing)


def unlock(call: Call) -> Answer:
    """Let go of the lock that a command left behind when it died."""
    from retailops.cli.views import infra as views
    from retailops.lifecycle import infra

    call.confirm("Only if that command is dead: two at work at once damage the state. Break the lock?")
    return Answer(infra.unlock(call.target), views.unlocked)


def park(call: Call) -> Answer:
    """Stop what is paid by the hour; data stays, wake brings back the rest."""
    from retailops.cli.views import infra as views
    from retailops.lifecycle import infra

    call.confirm("What is served stops answering until retailops wake. Park it?")
    return Answer(infra.park(call.target, call.progress, parked=True), views.parked, next="retailops wake")


def wake(call: Call) -> Answer:
    """Bring back what park stopped, as it was."""
    from retailops.cli.views import infra as views
    from retailops.lifecycle import infra

    return Answer(infra.park(call.target, call.progress, parked=False), views.parked, next="retailops infra status")


def _terms(expires: str | None, allow_replace: bool = False) -> Terms:
    from retailops.ports import Terms

    return Terms(expires=_moment(expires) if expires else None, allow_replace=allow_replace)


def _moment(duration: str) -> datetime:
    """Now and so much: `90m`, `8h`, `3d`."""
    found = re.fullmatch(r"(\d{1,4})([mhd])", duration.strip())
    if not found or not int(found.group(1)):
        raise UsageError(f"--expires {duration!r} isn't a duration.", "Write minutes, hours or days: 90m, 8h, 3d.")
    unit = {"m": "minutes", "h": "hours", "d": "days"}[found.group(2)]
    return datetime.now(UTC).replace(microsecond=0) + timedelta(**{unit: int(found.group(1))})
