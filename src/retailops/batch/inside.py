"""What runs in the pod besides the work: the worker is a child of whoever brings its rows and takes away its zones."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from retailops import events
from retailops.errors import RetailOpsError

WORKER = (sys.executable, "-P", "-m", "retailops.worker")
LAST_WORDS = Path("/dev/termination-log")  # where Kubernetes reads them, when the node has put a file there
_WORDS = 600


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def work(
    worker: Sequence[str], kind: str, inputs: Mapping[str, Path], output: Path, parameters: Mapping[str, Any]
) -> int:
    """Run the worker to its end, with our own output as its; its exit code, 128 and the number for a signal."""
    given = output.parent / "parameters.json"
    given.write_text(json.dumps(dict(parameters)), encoding="utf-8")
    command = [
        *worker,
        kind,
        *(f"--input={name}={path}" for name, path in inputs.items()),
        f"--output={output}",
        f"--parameters={given}",
        *([f"--failure={LAST_WORDS}"] if os.access(LAST_WORDS, os.W_OK) else []),
    ]
    process = subprocess.Popen(command)
    end_on_sigterm(process)
    code = process.wait()
    return code if code >= 0 else 128 - code


def end_on_sigterm(process: subprocess.Popen[bytes] | None = None) -> None:
    """End at once when told to. The first process of a container gets no signal that it hasn't asked for."""

    def end(number: int, frame: FrameType | None) -> None:
        if process and process.poll() is None:
            process.kill()  # what it leaves is made anew by the next pod
        raise SystemExit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)


def failed(error: RetailOpsError) -> int:
    """Tell an error as the worker would: as an event, and as last words. Returns the exit code."""
    events.EventLines(sys.stdout).error(error)
    if os.access(LAST_WORDS, os.W_OK):
        words = {"code": error.code, "what": error.what[:_WORDS], "fix": error.fix[: _WORDS // 3]}
        LAST_WORDS.write_text(json.dumps(words, ensure_ascii=False), encoding="utf-8")
    return error.code
