"""Checkpoints: how far a computation has come, in one file that is whole, that is checked, and of nothing else.

A file is one line of JSON and then arrays in numpy's own format, which is read without pickle. Where a computation goes
on from one, it must end in the bits that it would have ended in anyway; how is its own business.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retailops import files
from retailops.progress import SILENT, Progress

FORMAT = 1
EVERY_S = 5.0  # what an interruption costs at most, give or take a round
_SHARE = 100  # one that took t to write is followed by the next after 100 t: whatever its size, it costs a hundredth

State = Mapping[str, NDArray[Any]]


class Checkpoint:
    """One file, which may not be there. `of` says what it is of, exactly; None for a path keeps nothing.

    Without `writes` it is only read.
    """

    def __init__(
        self, path: Path | None, of: Mapping[str, Any], progress: Progress = SILENT, *, writes: bool = True
    ) -> None:
        self._path = path
        self._of = json.loads(json.dumps({"format": FORMAT, **of}))  # as it comes back from a file
        self._progress = progress
        self._writes = writes and path is not None
        self.every_s = EVERY_S if self._writes else math.inf
        self._due = time.monotonic() + self.every_s

    def load(self) -> State | None:
        """What was kept. None when there is nothing, or nothing that can be trusted, which is told."""
        if self._path is None or not self._path.is_file():
            return None
        try:
            head, _, body = self._path.read_bytes().partition(b"\n")
            told = json.loads(head)
            if hashlib.sha256(body).hexdigest() != told["sha256"]:
                raise ValueError("its content was changed")
            found: Mapping[str, Any] = told["of"]
            if other := sorted(key for key in {*found, *self._of} if found.get(key) != self._of.get(key)):
                raise ValueError(f"it is of another {', '.join(other)}")
            with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
                state = dict(arrays)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
            self._progress.note(f"{self._path.name} is left aside: {problem}")
            return None
        self._progress.note(f"Going on from what was kept: {told['done']}")
        return state

    def due(self) -> bool:
        """Whether it is time for `save`."""
        return time.monotonic() >= self._due

    def save(self, done: str, state: State) -> None:
        """Replace what was kept by `state`; `done` tells a person how far that is."""
        if self._path is None or not self._writes:
            return
        began = time.monotonic()
        body = io.BytesIO()
        np.savez(body, allow_pickle=False, **state)
        content = body.getvalue()
        head = {"of": self._of, "done": done, "sha256": hashlib.sha256(content).hexdigest()}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        files.write_bytes(self._path, json.dumps(head).encode() + b"\n" + content)
        now = time.monotonic()
        self._due = now + max(self.every_s, _SHARE * (now - began))

    def clear(self) -> None:
        """Nothing there is success."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


NOWHERE = Checkpoint(None, {})


def digest(*arrays: NDArray[Any]) -> str:
    """SHA-256 of the contents of arrays, their shapes and types."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.dtype.str}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()
