"""The real worker, whose `train` does what its parameters ask: crash, wait, talk, or count how often it was run."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from retailops import worker
from retailops.errors import DataError, GateFailed
from retailops.progress import Progress


def toy(inputs: Mapping[str, Path], output: Path, parameters: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    (output / "begun").write_text("half a result")
    progress.note(f"pid {os.getpid()}")
    if "runs" in parameters:
        with Path(parameters["runs"]).open("a") as runs:
            runs.write("run\n")
    if "gate" in parameters:
        inputs = {**inputs, "go": Path(parameters["gate"])}
    return ACTS[parameters["do"]](inputs, output, progress)


def _count(inputs: Mapping[str, Path], output: Path, progress: Progress) -> dict[str, Any]:
    (output / "data.txt").write_text("whole")
    return {"answer": 42, "threads": os.environ.get("OMP_NUM_THREADS")}


def _talk(inputs: Mapping[str, Path], output: Path, progress: Progress) -> dict[str, Any]:
    progress.stage("counting", 1000, "rows")
    for done in range(1001):
        progress.advance(done)
    print("a library prints from Python")
    os.write(1, b"a library prints from C\n")
    progress.stage("then", None)
    return {}


def _wait(inputs: Mapping[str, Path], output: Path, progress: Progress) -> dict[str, Any]:
    go = inputs.get("go")
    if go is None:
        threading.Event().wait()
    else:
        go.read_bytes()  # a named pipe: blocks until somebody writes
    return {"waited": True}


def _segfault(inputs: Mapping[str, Path], output: Path, progress: Progress) -> dict[str, Any]:
    ctypes.string_at(0)
    return {}


def _killed(inputs: Mapping[str, Path], output: Path, progress: Progress) -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def _vanish(inputs: Mapping[str, Path], output: Path, progress: Progress) -> dict[str, Any]:
    os._exit(0)


def _surprise(inputs: Mapping[str, Path], output: Path, progress: Progress) -> dict[str, Any]:
    try:
        int("one")
    except ValueError as error:
        raise LookupError("the shelf is empty") from error
    return {}


def _memory(inputs: Mapping[str, Path], output: Path, progress: Progress) -> dict[str, Any]:
    raise MemoryError


def _bad_data(inputs: Mapping[str, Path], output: Path, progress: Progress) -> dict[str, Any]:
    raise DataError("a.csv, line 7: QUANTITY is 'x'.", "Correct the line.", details={"line": 7})


def _gate(inputs: Mapping[str, Path], output: Path, progress: Progress) -> dict[str, Any]:
    raise GateFailed("Too many rows in quarantine.", f"Look into {output / 'begun'}.")


ACTS = {
    "bad data": _bad_data,
    "count": _count,
    "gate": _gate,
    "killed": _killed,
    "memory": _memory,
    "segfault": _segfault,
    "surprise": _surprise,
    "talk": _talk,
    "vanish": _vanish,
    "wait": _wait,
}

if __name__ == "__main__":
    worker.KINDS["train"] = toy
    worker.KINDS["predict"] = toy
    sys.exit(worker.main())
