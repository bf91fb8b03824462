"""features ingest, list and show: into the feature store, and a look at what is in it."""

from __future__ import annotations

from typing import Annotated

import typer
from typer import Argument, Option

from retailops.cli.call import Call
from retailops.cli.command import Answer, command, group


def register(app: typer.Typer) -> None:
    features = group(app, "features", "Fill the feature store and look into it.")
    command(features, "ingest", path="features ingest")(features_ingest)
    command(features, "list", path="features list")(features_list)
    command(features, "show", path="features show")(features_show)


def features_ingest(call: Call) -> Answer:
    """Publish what the newest dataset and model version know."""
    from retailops.cli.views import features as views
    from retailops.lifecycle import features

    return Answer(features.ingest(call.target, call.progress), views.ingested, next="retailops features list")


def features_list(call: Call) -> Answer:
    """List the feature groups and what is published of each."""
    from retailops.cli.views import features as views
    from retailops.lifecycle import features

    return Answer(features.groups(call.target), views.groups, next="retailops features show GROUP KEY")


def features_show(
    call: Call,
    name: Annotated[str, Argument(metavar="GROUP", help="product, store or customer.")],
    key: Annotated[str, Argument(metavar="KEY", help="The code of the product, store or customer.")],
    before: Annotated[
        str | None,
        Option("--before", metavar="MOMENT", help="As it was known before then, like 2007-05-01T14:00 (UTC)."),
    ] = None,
) -> Answer:
    """Show what is known of one product, store or customer."""
    from retailops.cli.views import features as views
    from retailops.lifecycle import features

    return Answer(features.show(call.target, name, key, before), views.record)
