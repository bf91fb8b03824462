"""Files and functions stay small enough to be read at once."""

from __future__ import annotations

import ast
from pathlib import Path
from statistics import median, quantiles

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = sorted((ROOT / "src").rglob("*.py"))
EVERYTHING = SOURCE + sorted((ROOT / "tests").rglob("*.py")) + sorted((ROOT / "benchmarks").rglob("*.py"))
MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 60


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def functions(path: Path) -> dict[str, int]:
    """Name → lines, from `def` to the last statement."""
    return {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


@pytest.mark.parametrize("path", EVERYTHING, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_not_too_long(path: Path) -> None:
    assert lines(path) <= MOST_LINES_OF_A_FILE
    assert not {name: size for name, size in functions(path).items() if size > MOST_LINES_OF_A_FUNCTION}


def test_most_files_and_functions_are_short() -> None:
    assert median(map(lines, SOURCE)) <= 120
    sizes = [size for path in SOURCE for size in functions(path).values()]
    assert quantiles(sizes, n=10)[-1] <= 30
