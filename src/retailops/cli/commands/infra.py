"""infra: what a target must have before anything can run on it."""

from __future__ import annotations

import typer

from retailops.cli.call import Call
from retailops.cli.command import Answer, command, group
from retailops.cli.commands.whole import teardown


def register(app: typer.Typer) -> None:
    infra = group(app, "infra", "Make what the project needs, and take it away.")
    command(infra, "up", path="infra up")(up)
    command(infra, "down", path="infra down")(teardown)


def up(call: Call) -> Answer:
    """Create what is missing."""
    from retailops.cli.views import whole as views
    from retailops.lifecycle import infra

    call.confirm_cost(infra.planned(call.target))
    return Answer(infra.up(call.target, call.progress), views.built, next="retailops etl")
