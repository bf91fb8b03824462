"""The page of promises says what the contract suites really do."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import promises

ROOT = Path(__file__).parents[2]


def test_the_page_of_promises_is_current() -> None:
    assert (ROOT / "docs" / "promises.md").read_text(encoding="utf-8") == promises.page(), "run: make reference"


@pytest.mark.parametrize("path", promises.SUITES, ids=lambda path: path.stem)
def test_every_promise_is_given_each_target(path: Path) -> None:
    """A test of a suite that doesn't take the fixture `target` would count for all of them and run on none."""
    for each in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(each, ast.FunctionDef) and each.name.startswith("test_"):
            assert "target" in [argument.arg for argument in each.args.args], each.name
            marks = [ast.unparse(mark) for mark in each.decorator_list]
            assert not [mark for mark in marks if "skip" in mark], f"{each.name}: what is absent stands in ABSENT"


def test_what_is_absent_is_a_suite_or_a_promise_that_there_is() -> None:
    suites = [promises.suite(path) for path in promises.SUITES]
    known = {each.name for each in suites} | {promise for each in suites for promise in each.promises}
    for target, reasons in promises.absent().items():
        assert reasons.keys() <= known, target
        assert all(reasons.values())


def test_a_promise_that_comes_or_goes_is_noticed() -> None:
    page = promises.page()
    assert "| the same key is not run again | yes | yes |" in page
    assert "| up makes what was announced and twice is harmless | yes | – Terraform takes minutes" in page
    assert set(promises.ports()) >= {"Lake", "Jobs", "Models", "Serving", "Watch", "Infra", "Removal"}
