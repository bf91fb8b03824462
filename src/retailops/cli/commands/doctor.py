"""doctor: whether everything is there."""

from __future__ import annotations

from typing import Annotated

import typer
from typer import Option

from retailops.cli.call import Call
from retailops.cli.command import Answer, command
from retailops.errors import UsageError


def register(app: typer.Typer) -> None:
    command(app, "doctor")(doctor)


def doctor(
    call: Call,
    policy: Annotated[
        bool, Option("--policy", help="Print the least rights that this needs instead, as JSON.")
    ] = False,
    area: Annotated[
        str | None, Option("--area", metavar="AREA", help="With --policy: one of its documents alone.")
    ] = None,
) -> Answer:
    """Check that everything this config needs is there; each finding with its fix."""
    from retailops.cli.views import doctor as views
    from retailops.lifecycle import doctor

    if policy:
        return Answer(doctor.policy(call.target, area), views.policy)
    if area is not None:
        raise UsageError("--area chooses one of the documents of --policy.", "Add --policy, or leave --area out.")
    return Answer(doctor.doctor(call.target, call.progress), views.findings)
