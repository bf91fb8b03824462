"""Words that belong to one room are found in no other."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "retailops"
FILES = sorted(SOURCE.rglob("*.py"))

# Python's own words that a source file may say only in these rooms.
ROOMS = {
    r"\bboto3\b|\bbotocore\b|arn:": ("targets/aws/",),
    r"^\s*(?:import|from) (?:typer|rich|click)\b|\bprint\(": ("cli/",),
    # manifests/: a Kubernetes object is written in YAML, by its own convention, and is checked as what it says.
    r"^\s*(?:import|from) yaml\b": ("config/", "manifests/"),
    # environment.py writes variables that libraries read at their import, where no call can reach them.
    r"\bos\.environ\b|\bos\.getenv\b|\bos\.putenv\b": ("config/", "environment.py"),
    r"\bif [^\n]*\btarget(?:\.name)?\s*[!=]=": (),
    r"\bpickle\b|\bjoblib\.dump\b|\bcloudpickle\b": (),
    r"\bmock\.patch\b|\bunittest\b": (),
    r"\b(?:sys\.exit|os\._exit)\(": ("cli/", "worker.py", "serving/", "batch/box.py", "targets/aws/carrier.py"),
}


def code_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines without comments and docstrings: prose may speak of anything."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(text)):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if documented and node.body and isinstance(node.body[0], ast.Expr):
            prose = node.body[0]
            if isinstance(prose.value, ast.Constant) and isinstance(prose.value.value, str):
                for row in range(prose.lineno, (prose.end_lineno or prose.lineno) + 1):
                    lines[row - 1] = ""
    return iter(enumerate(lines, start=1))


def place(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


@pytest.mark.parametrize("pattern", ROOMS)
def test_a_word_stays_in_its_room(pattern: str) -> None:
    rooms = ROOMS[pattern]
    strangers = [
        f"{place(path)}:{number}: {line.strip()}"
        for path in FILES
        if not place(path).startswith(rooms)
        for number, line in code_lines(path)
        if re.search(pattern, line)
    ]
    assert not strangers, f"{pattern} belongs to {rooms or 'nowhere'}:\n" + "\n".join(strangers)


def test_column_names_stay_in_retail() -> None:
    from retailops.retail import columns

    names = {value for value in vars(columns).values() if isinstance(value, str)} | set(columns.COLUMNS)
    published = sorted(name for name in names if re.fullmatch(r"[A-Z]+_[A-Z0-9_]+", name))
    assert "SHOP_WEEK" in published and len(published) > 15
    pattern = re.compile("[\"'](?:" + "|".join(published) + ")\\b")
    strangers = [
        f"{place(path)}:{number}: {line.strip()}"
        for path in FILES
        if not place(path).startswith("retail/")
        for number, line in code_lines(path)
        if pattern.search(line)
    ]
    assert not strangers, "\n".join(strangers)


@pytest.mark.parametrize("path", FILES, ids=place)
def test_a_module_says_what_room_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", FILES, ids=place)
def test_no_noun_says_nothing(path: Path) -> None:
    empty = re.compile(r"(?:Manager|Handler|Service|Helper|Utils|Context|Engine)$")
    names = [
        node.name for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ClassDef)
    ]
    assert not [name for name in names if empty.search(name)]
    assert not empty.search(path.stem.capitalize())


def test_the_code_speaks_of_the_project_alone() -> None:
    """No machine's path and no package index in what is committed."""
    stray = re.compile(r"/(?:work|root|home/\w+)/|pypi\.org|/opt/pypi|--index-url")
    texts = [*FILES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "docs").rglob("*.md"))]
    texts += [ROOT / name for name in ("Makefile", "pyproject.toml", "constraints.txt", "README.md", "CHANGELOG.md")]
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in texts
        if path.exists() and path != Path(__file__)
        for match in stray.finditer(path.read_text(encoding="utf-8"))
    ]
    assert not found
