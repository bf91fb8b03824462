"""image: what versions and jobs run in."""

from __future__ import annotations

from typing import Annotated

import typer
from typer import Option

from retailops.cli.call import Call
from retailops.cli.command import Answer, command, group
from retailops.errors import UsageError


def register(app: typer.Typer) -> None:
    image = group(app, "image", "Build and list the container images of versions and of jobs.")
    command(image, "build", path="image build")(image_build)
    command(image, "list", path="image list")(image_list)


def image_build(
    call: Call,
    version: Annotated[
        int | None, Option("--version", min=1, metavar="N", help="The version to put into it. Default: the newest.")
    ] = None,
    worker: Annotated[bool, Option("--worker", help="The image that jobs run in, which holds no version.")] = False,
    no_push: Annotated[bool, Option("--no-push", help="Leave it in the engine of this machine.")] = False,
) -> Answer:
    """Build a version's image, scan it, push it. Pushed already: nothing is done."""
    from retailops.cli.views import image as views
    from retailops.lifecycle import image

    if worker and version is not None:
        raise UsageError("The image that jobs run in holds no version.", "Leave out --version, or --worker.")
    outcome = image.build(call.target, version, call.progress, worker=worker, push=not no_push)
    return Answer(outcome, views.built, next="" if worker else "retailops deploy")


def image_list(call: Call) -> Answer:
    """List the images that the registry has."""
    from retailops.cli.views import image as views
    from retailops.lifecycle import image

    return Answer(image.images(call.target, call.progress), views.images)
