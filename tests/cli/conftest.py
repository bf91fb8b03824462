"""A command line in its own folder, and what came of it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from retailops.cli.app import execute


@dataclass(frozen=True)
class Done:
    """Exit code and streams of one command line."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        found: dict[str, Any] = json.loads(self.out)
        return found


Cli = Callable[..., Done]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run one command line in an empty folder; there is no terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))

    def run(*words: str) -> Done:
        code = execute(list(words))
        return Done(code, *capsys.readouterr())

    return run


class Terminal(io.StringIO):
    """A person at a keyboard who types what was written down for them."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """What the person at the terminal answers."""

    def answer(text: str) -> None:
        monkeypatch.setattr("sys.stdin", Terminal(text))

    return answer
