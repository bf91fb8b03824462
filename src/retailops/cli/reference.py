"""The command table of README.md, written from the commands: `python -m retailops.cli.reference README.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

BEGIN = "<!-- commands: written by `make reference` -->"
END = "<!-- end of commands -->"


def commands(program: Any = None) -> list[tuple[str, Any]]:
    """Every command by its whole name ("models list"), in the order of help."""
    from retailops.cli.app import build

    return list(_walk(program or typer.main.get_command(build()), ""))


def _walk(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name in command.list_commands(None):
        yield from _walk(command.commands[name], f"{path} {name}".strip())


def table() -> str:
    """A Markdown table: each command with its own flags, and what it does."""
    lines = ["| command | what it does |", "|---|---|"]
    for path, command in commands():
        words = " ".join(["retailops", path, *_own(command)])
        lines.append(f"| `{words}` | {command.help} |")
    return "\n".join(lines)


def _own(command: Any) -> Iterator[str]:
    from retailops.cli.flags import NAMES

    for parameter in command.params:
        if parameter.name in NAMES:
            continue
        if parameter.param_type_name == "argument":
            yield parameter.metavar
            continue
        flag = parameter.opts[0] if parameter.is_flag else f"{parameter.opts[0]} {parameter.metavar}"
        yield flag if parameter.required else f"[{flag}]"


def inserted(text: str) -> str:
    """`text` with the table between its markers. ValueError when it has none."""
    before, found, rest = text.partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not found or not closed:
        raise ValueError(f"no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    path.write_text(inserted(text), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
