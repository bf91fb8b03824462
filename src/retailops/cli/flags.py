"""The flags that every command takes, written before or after the command's name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from typer import Option

CONFIG_HELP = "The file to read. Default: retail.yaml."


@dataclass(frozen=True)
class Flags:
    """The global flags of one invocation."""

    json: bool = False
    yes: bool = False
    quiet: bool = False
    config: Path | None = None
    target: str | None = None
    debug: bool = False

    def inside(self, outer: Flags | None) -> Flags:
        """These flags, completed by those written further left; of two values the later one wins."""
        if outer is None:
            return self
        return Flags(
            json=self.json or outer.json,
            yes=self.yes or outer.yes,
            quiet=self.quiet or outer.quiet,
            config=self.config or outer.config,
            target=self.target or outer.target,
            debug=self.debug or outer.debug,
        )


def _declare(
    json: Annotated[bool, Option("--json", help="Print one JSON object instead of text.")] = False,
    yes: Annotated[bool, Option("--yes", "-y", help="Answer every question with yes.")] = False,
    quiet: Annotated[bool, Option("--quiet", "-q", help="No progress on stderr.")] = False,
    config: Annotated[Path | None, Option("--config", metavar="PATH", help=CONFIG_HELP)] = None,
    target: Annotated[
        str | None, Option("--target", metavar="NAME", help="Use this target instead of the file's.")
    ] = None,
    debug: Annotated[bool, Option("--debug", help="Show the traceback of an unexpected error.")] = False,
) -> None:
    """Never called: its signature is how typer learns of the flags."""


PARAMETERS: tuple[inspect.Parameter, ...] = tuple(
    parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
    for parameter in inspect.signature(_declare, eval_str=True).parameters.values()
)
# RETAILOPS_CONFIG is read once, at the left: otherwise it would override a --config written before the command.
_FROM_ENVIRONMENT = Option("--config", metavar="PATH", help=CONFIG_HELP, envvar="RETAILOPS_CONFIG")
LEFTMOST: tuple[inspect.Parameter, ...] = tuple(
    parameter.replace(annotation=Annotated[Path | None, _FROM_ENVIRONMENT]) if parameter.name == "config" else parameter
    for parameter in PARAMETERS
)
NAMES: frozenset[str] = frozenset(parameter.name for parameter in PARAMETERS)


def take(arguments: dict[str, Any], outer: object) -> Flags:
    """Remove the global flags from a command's `arguments`; `outer` is what stood left of the command."""
    own = Flags(**{name: arguments.pop(name) for name in sorted(NAMES) if name in arguments})
    return own.inside(outer if isinstance(outer, Flags) else None)


def guess(words: list[str]) -> Flags:
    """The flags of a line that could not be parsed: how a usage error is to be told, no more."""
    before = words[: words.index("--")] if "--" in words else words
    return Flags(json="--json" in before, debug="--debug" in before)


def values(flags: Flags) -> Mapping[str, str]:
    """The flags that override retail.yaml, by dotted key."""
    return {"target": flags.target} if flags.target else {}
