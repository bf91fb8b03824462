"""What a command leaves behind: a result on stdout as text or as one JSON object, errors on stderr, an exit code."""

from __future__ import annotations

import contextlib
import json
import math
import sys
import tempfile
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from retailops.errors import NotReady, RetailOpsError

if TYPE_CHECKING:
    from rich.console import Console

    from retailops.ports import Change


@dataclass
class Ending:
    """How a command ended: what it gives, what it changed, and the error when there is one."""

    command: str
    target: str | None = None
    result: Any = None
    changes: list[Change] = field(default_factory=list)
    error: RetailOpsError | None = None

    @property
    def code(self) -> int:
        return self.error.code if self.error else 0

    def document(self) -> dict[str, Any]:
        """The object that --json prints; its keys are a promise to scripts."""
        error = self.error
        return {
            "command": self.command,
            "target": self.target,
            "ok": error is None,
            "result": plain(self.result),
            "changes": [plain(asdict(change)) for change in self.changes],
            "error": None if error is None else {"code": error.code, "what": error.what, "fix": error.fix},
        }


def plain(value: Any) -> Any:
    """`value` in JSON's own types: paths become text, numbers that JSON lacks become null."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, PurePath):
        return str(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "item"):
        return plain(value.item())
    raise TypeError(f"{type(value).__name__} has no place in a result")


def print_json(document: dict[str, Any]) -> None:
    """One object, keys sorted, on stdout."""
    print(json.dumps(document, indent=2, sort_keys=True, allow_nan=False), flush=True)


def screen(*, stderr: bool = False) -> Console:
    """A console that leaves text as it is: no markup, no colouring of numbers, no breaking of words in a pipe."""
    from rich.console import Console

    class Screen(Console):
        """rich would end the program itself, with 1, when the reader goes away."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Screen(stderr=stderr, markup=False, highlight=False, emoji=False)


def print_error(error: RetailOpsError) -> None:
    """What happened and what to do next, on stderr."""
    from rich.text import Text

    console = screen(stderr=True)
    first, *more = error.what.splitlines() or [type(error).__name__]
    console.print(Text.assemble(("error: ", "bold red"), first), soft_wrap=True)
    for line in more:
        console.print(f"  {line}", soft_wrap=True)
    for number, line in enumerate(error.fix.splitlines()):
        console.print(Text.assemble(("  → " if number == 0 else "    ", "dim"), line), soft_wrap=True)


def missing_library(problem: BaseException, target: str | None) -> RetailOpsError | None:
    """What to install, when a library that isn't ours couldn't be imported: those of a cloud come with its extra."""
    name = (problem.name or "").partition(".")[0] if isinstance(problem, ModuleNotFoundError) else ""
    if name in ("", "retailops"):
        return None
    extra = f"[{target}]" if target in _extras() else ""
    what = f"The library {name} isn't installed, and this command needs it."
    return NotReady(what, f"Install what is missing: pip install 'retailops{extra}'; then: retailops doctor")


def _extras() -> list[str]:
    from importlib import metadata

    with contextlib.suppress(metadata.PackageNotFoundError):  # a source tree that was never installed
        return metadata.metadata("retailops").get_all("Provides-Extra") or []
    return []


def unexpected(problem: BaseException, *, debug: bool) -> RetailOpsError:
    """Our own bug in one line. The traceback goes to a file, or to stderr with --debug."""
    text = "".join(traceback.format_exception(problem))
    summary = f"Unexpected {type(problem).__name__}: {str(problem).strip() or 'no message'}".splitlines()[0]
    if debug:
        sys.stderr.write(text)
        return RetailOpsError(summary, "This is a bug in retailops; the traceback stands above.")
    with tempfile.NamedTemporaryFile(
        "w", prefix="retailops-", suffix=".log", delete=False, encoding="utf-8", errors="replace"
    ) as log:
        log.write(text)
    return RetailOpsError(summary, f"This is a bug in retailops; the traceback is in {log.name} (or use --debug).")
