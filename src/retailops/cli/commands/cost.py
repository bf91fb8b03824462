"""cost: what a month costs."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from typer import Option

from retailops.cli.call import Call
from retailops.cli.command import Answer, command


def register(app: typer.Typer) -> None:
    command(app, "cost")(cost)


def cost(
    call: Call,
    scenario: Annotated[
        Literal["always", "working-hours", "parked"] | None,
        Option("--scenario", metavar="NAME", help="always, working-hours or parked. Default: cost.scenario."),
    ] = None,
    live: Annotated[bool, Option("--live", help="Also what was really billed this month, and the forecast.")] = False,
    allow_over_budget: Annotated[bool, Option("--allow-over-budget", help="A cost above the budget is fine.")] = False,
) -> Answer:
    """Tell what a month costs, line by line, before anything is created."""
    from retailops.cli.views import cost as views
    from retailops.lifecycle import cost as costs

    return Answer(costs.cost(call.target, allow_over_budget, scenario, live), views.bill)
