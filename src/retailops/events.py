"""Floor 0: how progress and errors become lines of a worker, and lines both again, wherever it runs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from typing import Any, TextIO

from retailops.errors import BY_CODE, RetailOpsError
from retailops.progress import Progress

_LAST = 3
_WIDTH = 500


class EventLines:
    """Progress as JSON lines. Rapid `advance` calls are thinned out; the last one before another event gets through."""

    _EVERY_S = 0.1

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._due = 0.0
        self._pending: int | None = None

    def stage(self, text: str, total: int | None = None, unit: str = "") -> None:
        self._write({"event": "stage", "text": text, "total": total, "unit": unit})

    def advance(self, done: int, doing: str = "") -> None:
        self._pending = int(done)
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + self._EVERY_S
            self._write()

    def note(self, text: str) -> None:
        self._write({"event": "note", "text": text})

    def error(self, error: RetailOpsError) -> None:
        described = {"code": error.code, "what": error.what, "fix": error.fix, "details": error.details}
        self._write({"event": "error", **described})

    def _write(self, event: dict[str, Any] | None = None) -> None:
        with self._lock:
            if self._pending is not None:
                self._stream.write(json.dumps({"event": "advance", "done": self._pending}) + "\n")
                self._pending = None
            if event:
                self._stream.write(json.dumps(event, default=str) + "\n")
            self._stream.flush()


class NotAnEvent(ValueError):
    """A line that somebody else printed; it belongs into the log."""


def pass_on(line: str | bytes, progress: Progress) -> RetailOpsError | None:
    """Tell `progress` what one line of a worker says. Returns the error that it reports, if it is one."""
    try:
        event = json.loads(line)
        name = event["event"]
        if name == "error":
            return error(event)
        if name == "stage":
            progress.stage(event["text"], event["total"], event["unit"])
        elif name == "advance":
            progress.advance(event["done"])
        elif name == "note":
            progress.note(event["text"])
    except (ValueError, KeyError, AttributeError, TypeError) as problem:
        raise NotAnEvent(line) from problem
    return None


def error(event: dict[str, object]) -> RetailOpsError:
    """The error that was put into words as {"code", "what", "fix", "details"}, of its own class again."""
    details = event.get("details")
    kind = BY_CODE.get(int(str(event["code"])), RetailOpsError)
    return kind(str(event["what"]), str(event.get("fix", "")), details=details if isinstance(details, dict) else None)


def last_words(lines: Sequence[str]) -> list[str]:
    """The lines of a log that matter: the message at the end of the last traceback, or simply the last few."""
    if fatal := [line for line in lines if line.startswith("Fatal Python error")]:
        return fatal[-1:]  # what follows are the stacks of all threads
    starts = [number for number, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    if starts:
        lines = [line for line in lines[starts[-1] + 1 :] if not line.startswith(" ")]
    return [line.rstrip()[:_WIDTH] for line in lines if line.strip()][-_LAST:]
