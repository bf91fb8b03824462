"""What typer says about a line it can't parse, said our way: what is wrong, what was meant, where to look."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from typer.exceptions import TyperException

from retailops.errors import UsageError


def explain(problem: TyperException, path: str, command: Any) -> UsageError:
    """The error of a wrong command, flag or value of `command`, whose whole name is `path`."""
    what = problem.format_message().rstrip()
    option = getattr(problem, "option_name", None)
    close = getattr(problem, "possibilities", None)
    if option and close is not None:
        meant = get_close_matches(option, close, n=1)
        what = f"No such option: {option}." + (f" Did you mean {meant[0]}?" if meant else "")
    elif what == "Missing command.":
        what = f"`retailops {path}` needs a command: {', '.join(command.commands)}."
    return UsageError(what, f"See: {' '.join(['retailops', *path.split()])} --help")


def understood(program: Any, words: Sequence[str]) -> tuple[str, Any]:
    """The command that a line calls, as far as its words name one: ("models show", the command)."""
    names: list[str] = []
    command = program
    for word in words:
        inner = getattr(command, "commands", {})
        if word in inner:
            names.append(word)
            command = inner[word]
    return " ".join(names), command
