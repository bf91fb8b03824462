"""Floor 0: how the lines of a worker become progress and errors again, wherever it runs, and what its log says last."""

from __future__ import annotations

import json
from collections.abc import Sequence

from retailops.errors import BY_CODE, RetailOpsError
from retailops.progress import Progress

_LAST = 3
_WIDTH = 500


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
