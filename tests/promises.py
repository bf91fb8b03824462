"""docs/promises.md, written from the contract suites: `python tests/promises.py docs/promises.md`.

A promise is a test of a suite `tests/targets/test_contract_<port>.py`; it runs on every target that ABSENT in
tests/targets/conftest.py knows, unless it says why not.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SUITES = sorted((ROOT / "tests" / "targets").glob("test_contract_*.py"))
BEGIN = "<!-- promises: written by `make reference` -->"
INTRODUCTION = """# What is promised, and where it is proved

The contract suite of a port runs on every target: `local` for real in a folder of its own, `aws` through the
real SDK against an emulated account whose jobs are really run. A dash means that the promise isn't exercised there.
"""


@dataclass(frozen=True)
class Suite:
    """The promises of one port: the names of its tests, in their order."""

    name: str
    about: str
    promises: tuple[str, ...]

    @property
    def port(self) -> str:
        return self.name.removeprefix("test_contract_").capitalize()


def suite(path: Path) -> Suite:
    module = ast.parse(path.read_text(encoding="utf-8"))
    tests = [each.name for each in module.body if isinstance(each, ast.FunctionDef) and each.name.startswith("test_")]
    return Suite(path.stem, (ast.get_docstring(module) or "").splitlines()[0], tuple(tests))


def absent() -> dict[str, dict[str, str]]:
    """Target → suite or promise → why it isn't in it."""
    module = ast.parse((ROOT / "tests" / "targets" / "conftest.py").read_text(encoding="utf-8"))
    (found,) = (
        each.value
        for each in module.body
        if isinstance(each, ast.Assign) and [getattr(name, "id", "") for name in each.targets] == ["ABSENT"]
    )
    read: dict[str, dict[str, str]] = ast.literal_eval(found)
    return read


def ports() -> list[str]:
    """Every port that a target has."""
    module = ast.parse((ROOT / "src" / "retailops" / "ports" / "protocols.py").read_text(encoding="utf-8"))
    protocols = [each for each in module.body if isinstance(each, ast.ClassDef)]
    return [each.name for each in protocols if any(getattr(base, "id", "") == "Protocol" for base in each.bases)]


def page() -> str:
    return "\n".join([INTRODUCTION, BEGIN, *_tables(), ""])


def _tables() -> Iterator[str]:
    missing, suites = absent(), [suite(path) for path in SUITES]
    for each in suites:
        yield f"\n## {each.port}\n\n{each.about}\n"
        yield f"| promise | {' | '.join(missing)} |"
        yield "|---" * (1 + len(missing)) + "|"
        for promise in each.promises:
            why = {target: reasons.get(each.name) or reasons.get(promise) for target, reasons in missing.items()}
            cells = " | ".join(f"– {reason}" if reason else "yes" for reason in why.values())
            yield f"| {promise.removeprefix('test_').replace('_', ' ')} | {cells} |"
    others = [port for port in ports() if port not in {each.port for each in suites}]
    if others:
        yield f"\nWithout a suite of its own, and proved by each target's own tests: {', '.join(others)}."


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
