"""doctor: whether everything is there."""

from __future__ import annotations

import typer

from retailops.cli.call import Call
from retailops.cli.command import Answer, command


def register(app: typer.Typer) -> None:
    command(app, "doctor")(doctor)


def doctor(call: Call) -> Answer:
    """Check that everything this config needs is there; each finding with its fix."""
    from retailops.cli.views import doctor as views
    from retailops.lifecycle import doctor

    return Answer(doctor.doctor(call.target, call.progress), views.findings)
