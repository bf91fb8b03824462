"""What README.md and the docs say of commands is true: each line is parsed by the real program."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.exceptions import TyperException

from retailops.cli.app import build
from retailops.cli.reference import commands, inserted

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
README = ROOT / "README.md"


def documented(path: Path) -> Iterator[str]:
    """The `retailops …` command lines of a page: in code blocks, and in `code` within a sentence."""
    text = path.read_text(encoding="utf-8")
    for block in re.findall(r"```(?:sh|bash|console|shell|text)?\n(.*?)```", text, flags=re.DOTALL):
        for line in block.splitlines():
            for part in re.split(r"&&|\||;|>", line.partition(" #")[0]):
                found = re.match(r"\s*\$?\s*(retailops(?: .*)?)$", part.rstrip())
                if found:
                    yield found.group(1)
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    yield from re.findall(r"`(retailops [^`\n]+)`", prose.partition("<!-- commands")[0])


LINES = [(path.name, line) for path in PAGES for line in documented(path)]


def parse(line: str) -> None:
    """Give the line to the program with every command's body taken out. TyperException when it can't be parsed."""
    program = typer.main.get_command(build())
    for _, command in commands(program):
        command.callback = lambda **arguments: 0
    words = shlex.split(line.replace("…", "").replace("[", "").replace("]", ""))[1:]
    values = {"N": "1", "VERSION": "1"}
    program.main(args=[values.get(word, word) for word in words], prog_name="retailops", standalone_mode=False)


@pytest.mark.parametrize(("page", "line"), LINES)
def test_a_documented_command_is_understood(page, line):
    if line.split()[1:2] in (["models"], ["config"], ["data"], ["infra"]) and len(line.split()) == 2:
        line += " --help"
    parse(line)


def test_the_readme_names_the_way_from_nothing_to_an_answer():
    lines = {line for page, line in LINES if page == "README.md"}
    assert any(line.startswith("retailops run") for line in lines)


@pytest.mark.parametrize(
    "line", ["retailops trian", "retailops deploy --version two", "retailops train --alog xgboost"]
)
def test_a_wrong_documented_command_would_be_noticed(line):
    with pytest.raises(TyperException):
        parse(line)


def test_the_command_table_is_current():
    text = README.read_text(encoding="utf-8")
    assert inserted(text) == text, "run: make reference"
