"""run, teardown: the whole life, and the end of it."""

from __future__ import annotations

import typer

from retailops.cli.call import Call
from retailops.cli.command import Answer, command


def register(app: typer.Typer) -> None:
    command(app, "run")(run)
    command(app, "teardown")(teardown)


def run(call: Call) -> Answer:
    """Go the whole way: data, models, a live API. What is done already is skipped."""
    from retailops.cli.views import whole as views
    from retailops.lifecycle import run
    from retailops.ports import AS_IT_STANDS

    call.confirm_build(AS_IT_STANDS)
    return Answer(run.run(call.target, call.progress), views.summary, next="retailops status")


def teardown(call: Call) -> Answer:
    """Remove everything of this project, then look for what is left."""
    from retailops.cli.views import whole as views
    from retailops.lifecycle import teardown

    call.confirm_removal(teardown.planned(call.target))
    return Answer(teardown.teardown(call.target, call.progress), views.removed)
