"""What typer says about a line it can't parse, said our way: what is wrong, what was meant, where to look."""

from __future__ import annotations

from typing import Any

import typer
from typer.exceptions import TyperException

from retailops.errors import UsageError


def explain(problem: TyperException) -> UsageError:
    """The error of a wrong command, flag or value."""
    context: typer.Context | None = getattr(problem, "ctx", None)
    what = problem.format_message().rstrip()
    option = getattr(problem, "option_name", None)
    close = getattr(problem, "possibilities", None)
    if option and close is not None:
        what = f"No such option: {option}." + (f" Did you mean {' or '.join(sorted(close))}?" if close else "")
    elif what == "Missing command." and context is not None:
        what = f"`{context.command_path}` needs a command: {', '.join(_commands(context.command))}."
    return UsageError(what, f"See: {_path(context)} --help")


def command_of(problem: TyperException) -> str:
    """The command that was being called, as far as it was understood ("models show")."""
    return _path(getattr(problem, "ctx", None)).removeprefix("retailops").strip()


def _path(context: typer.Context | None) -> str:
    """The names alone: click's own command_path would repeat arguments ("predict PATH")."""
    names: list[str] = []
    while context is not None:
        names.insert(0, context.info_name or "")
        context = context.parent  # type: ignore[assignment]
    return " ".join(names) or "retailops"


def _commands(command: Any) -> list[str]:
    return list(getattr(command, "commands", {}))
