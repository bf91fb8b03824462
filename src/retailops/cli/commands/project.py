"""init and config: the file that all else is read from."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Option

from retailops.cli.call import Call
from retailops.cli.command import Answer, command, group
from retailops.errors import UsageError


def register(app: typer.Typer) -> None:
    command(app, "init")(init)
    config = group(app, "config", "Check retail.yaml, show what it says, print its schema.")
    command(config, "validate", path="config validate")(validate)
    command(config, "show", path="config show")(show)
    command(config, "schema", path="config schema")(schema)


def init(
    call: Call,
    force: Annotated[bool, Option("--force", help="Overwrite the file that is there.")] = False,
) -> Answer:
    """Write a commented retail.yaml."""
    from retailops.cli.views import project as views
    from retailops.lifecycle.outcome import Outcome
    from retailops.ports import Change

    path = call.flags.config or Path("retail.yaml")
    there = path.exists()
    if there and not force:
        raise UsageError(f"{path} exists already.", "Edit it, or overwrite it with: retailops init --force")
    text = resources.files("retailops.templates").joinpath("retail.yaml").read_text(encoding="utf-8")
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise UsageError(
            f"{path} can't be written: {problem.strerror}.", "Choose another place with --config PATH."
        ) from problem
    change = Change("update" if there else "create", "file", str(path))
    return Answer(Outcome({"path": str(path)}, (change,)), views.written, next="retailops run")


def validate(call: Call) -> Answer:
    """Check retail.yaml, every mistake at once."""
    from retailops.cli.views import project as views
    from retailops.lifecycle.outcome import Outcome

    config = call.config
    result = {"path": str(config.path), "target": config.target, "keys": len(config.flat())}
    return Answer(Outcome(result), views.valid)


def show(call: Call) -> Answer:
    """Show every setting and where it comes from."""
    from retailops.cli.views import project as views
    from retailops.lifecycle.outcome import Outcome

    config = call.config
    settings = {key: {"value": value, "origin": config.origin(key)} for key, value in config.flat().items()}
    return Answer(Outcome({"path": str(config.path), "settings": settings}), views.settings)


def schema(call: Call) -> Answer:
    """Print the JSON schema of retail.yaml, for editors."""
    from retailops import config, targets
    from retailops.cli.views import project as views
    from retailops.lifecycle.outcome import Outcome
    from retailops.retail import algorithms

    document: dict[str, Any] = config.schema(targets.settings(), algorithms.NAMES)
    return Answer(Outcome(document), views.schema)
