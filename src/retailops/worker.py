"""Floor 4: what runs inside a job: one entry point for a laptop's child process and a cloud's container.

    python -m retailops.worker KIND --job FILE
    python -m retailops.worker KIND --input NAME=PATH … --output DIR [--parameters FILE]

Standard output carries one JSON object a line: {"event": "stage", "text", "total", "unit"}, {"event": "advance",
"done"}, {"event": "note", "text"} and, at most once, {"event": "error", "code", "what", "fix", "details"}; the exit
code is the error's. Everything else that anyone prints goes to standard error. DIR/result.json is written last.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from retailops import environment, files
from retailops.errors import DataError, RetailOpsError, TargetFailed, UsageError
from retailops.progress import Progress

RESULT = "result.json"

Work = Callable[[Mapping[str, Path], Path, Mapping[str, Any], Progress], dict[str, Any]]


def _etl(inputs: Mapping[str, Path], output: Path, parameters: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    from retailops.retail import etl

    (source,) = inputs.values()
    options = {name: value for name, value in parameters.items() if name != "labelled"}
    labelled = bool(parameters.get("labelled", True))
    dataset = etl.run(source, output, etl.EtlOptions(**options), progress, labelled=labelled)
    return {
        "dataset": dataset.version,
        "labelled": dataset.labelled,
        "reasons": dataset.manifest.get("reasons", {}),
        "rows": dataset.rows,
        "weeks": list(dataset.weeks),
    }


def _train(
    inputs: Mapping[str, Path], output: Path, parameters: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    from retailops.retail import training

    return training.job(inputs, output, parameters, progress)


def _predict(
    inputs: Mapping[str, Path], output: Path, parameters: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    from retailops.retail import scoring

    return scoring.job(inputs, output, parameters, progress)


KINDS: dict[str, Work] = {"etl": _etl, "train": _train, "predict": _predict}


@dataclass(frozen=True)
class Order:
    """What this process is to do."""

    kind: str
    inputs: dict[str, Path]
    output: Path
    parameters: dict[str, Any]
    attached: bool  # end when standard input does: whoever started us is gone


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


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one job; the exit code is 0 or the error's. An error nobody foresaw leaves its traceback on standard error."""
    faulthandler.enable()
    events = EventLines(_own_stdout())
    try:
        order = _order(arguments)
        if order.attached:
            _end_with_parent()
        if threads := order.parameters.get("threads"):
            environment.limit_threads(int(threads))
        for name, path in order.inputs.items():
            if not path.exists():
                raise DataError(f"The job's input {name!r} isn't there: {path}", "Run the step that makes it again.")
        order.output.mkdir(parents=True, exist_ok=True)
        result = KINDS[order.kind](order.inputs, order.output, order.parameters, events)
        files.write_json(order.output / RESULT, result)
    except RetailOpsError as error:
        events.error(error)
        return error.code
    except MemoryError:
        events.error(
            TargetFailed(f"The {order.kind} job ran out of memory.", "Free memory, or let it work on less at a time.")
        )
        return TargetFailed.code
    return 0


def _order(arguments: Sequence[str] | None) -> Order:
    parser = argparse.ArgumentParser(prog="retailops.worker", description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("--job", type=Path, metavar="FILE", help="JSON with inputs, output and parameters")
    parser.add_argument("--input", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--output", type=Path, metavar="DIR")
    parser.add_argument("--parameters", type=Path, metavar="FILE", help="JSON object")
    parser.add_argument("--attached", action="store_true", help="end as soon as standard input is closed")
    given = parser.parse_args(arguments)
    if given.job:
        job = _object(given.job)
        inputs = {name: Path(path) for name, path in job["inputs"].items()}
        return Order(given.kind, inputs, Path(job["output"]), job["parameters"], given.attached)
    if not given.output:
        raise UsageError("The worker needs --job FILE, or --output DIR.", "See python -m retailops.worker --help.")
    pairs = [text.partition("=") for text in given.input]
    parameters = _object(given.parameters) if given.parameters else {}
    return Order(given.kind, {name: Path(path) for name, _, path in pairs}, given.output, parameters, given.attached)


def _object(path: Path) -> dict[str, Any]:
    value = files.read_json(path)
    if not isinstance(value, dict):
        raise UsageError(f"{path} isn't a file with one JSON object.", "Write it again.")
    return value


def _own_stdout() -> TextIO:
    """Keep the real standard output for events; what libraries print from C or Python joins standard error."""
    sys.stdout.flush()
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return events


def _end_with_parent() -> None:
    """Whoever started us holds the other end of standard input; when it dies, in whatever way, the system closes it."""

    def watch() -> None:
        while os.read(0, 1024):
            pass
        # Not sys.exit: only a kill stops native code at once. Our own process group, and only if it is ours.
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
