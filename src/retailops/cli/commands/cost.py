"""cost: what a month costs."""

from __future__ import annotations

from typing import Annotated

import typer
from typer import Option

from retailops.cli.call import Call
from retailops.cli.command import Answer, command


def register(app: typer.Typer) -> None:
    command(app, "cost")(cost)


def cost(
    call: Call,
    allow_over_budget: Annotated[bool, Option("--allow-over-budget", help="A cost above the budget is fine.")] = False,
) -> Answer:
    """Tell what a month costs, line by line, before anything is created."""
    from retailops.cli.views import cost as views
    from retailops.lifecycle import cost as costs

    return Answer(costs.cost(call.target, allow_over_budget), views.bill)
