"""run, teardown: the whole life, and the end of it."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from typer import Option

from retailops.cli.call import Call
from retailops.cli.command import Answer, command

Keep = Annotated[
    list[str] | None,
    Option("--keep", metavar="WHAT", help="Spare something: data is the lake's buckets and the key that opens them."),
]
Expired = Annotated[
    bool, Option("--expired", help="For a scheduler: only when infra up --expires is over; else nothing is done.")
]
Until = Annotated[
    Literal["infra", "etl", "features", "train", "register", "deploy"],
    Option("--until", metavar="STAGE", help="The last stage to do: infra, etl, features, train, register or deploy."),
]


def register(app: typer.Typer) -> None:
    command(app, "run")(run)
    command(app, "teardown")(teardown)


def run(call: Call, until: Until = "deploy") -> Answer:
    """Go the whole way: data, models, a live API. What is done already is skipped."""
    from retailops.cli.views import whole as views
    from retailops.lifecycle import deploy, run
    from retailops.ports import AS_IT_STANDS

    run.able(call.target, until)
    call.confirm_build(AS_IT_STANDS)
    if until == run.LAST:
        call.confirm_paid(deploy.planned(call.target))
    after = "retailops status" if until == run.LAST else "retailops run"
    return Answer(run.run(call.target, call.progress, until), views.summary, next=after)


def teardown(call: Call, keep: Keep = None, expired: Expired = False) -> Answer:
    """Remove everything of this project, then look for what is left."""
    from retailops.cli.views import whole as views
    from retailops.lifecycle import teardown

    if expired:
        spared = teardown.spared(call.target, call.progress)
        if spared is not None:
            return Answer(spared, views.spared)
    kept = frozenset(keep or ())
    going = teardown.planned(call.target, kept, call.progress)
    call.confirm_removal(going)
    return Answer(teardown.teardown(call.target, call.progress, kept, going), views.removed)
