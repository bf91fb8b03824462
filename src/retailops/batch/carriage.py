"""Rows to a pod and zones back from it, in blocks by way of the API server: what works on every cluster.

No volume has to be shared, and the pod needs no way out. Every block and every file is proved by its SHA-256; what was
cut off goes on when the same command is run again, in the pod that then is there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from retailops import files
from retailops.batch.agreed import BLOCK, PORT, RESULT
from retailops.errors import TargetFailed
from retailops.progress import Progress
from retailops.tools.kube import Space

_TRIES = 3


class _Away(Exception):
    """The pod doesn't answer any more, or not yet: whoever looks at it will say why."""


class Carriage:
    """For one job. `inputs` is name → folder or file; what comes back is put below `output`, result.json last."""

    def __init__(self, token: str, inputs: Mapping[str, Path], output: Path) -> None:
        self._token = token
        self._inputs = inputs
        self._output = output
        self.taken = False  # all of it is here

    def attend(self, space: Space, pod: str, progress: Progress) -> None:
        """Do what the pod waits for. Nothing when it doesn't answer: the next look will tell."""
        box = _Box(space, pod, self._token)
        try:
            state = box.ask("GET", "state")
            if state["at"] == "waiting":
                self._bring(box, progress)
            elif state["at"] == "done":
                self._take(box, progress)
                self.taken = state["code"] == 0
                box.ask("POST", "taken")
        except _Away:
            return

    def _bring(self, box: _Box, progress: Progress) -> None:
        found = dict(_named(self._inputs))
        progress.stage("Bringing the rows to the cluster", sum(each.stat().st_size for each in found.values()), "bytes")
        done, hashes = 0, dict[str, str]()
        for name, path in found.items():
            whole = hashlib.sha256()
            for offset, block in _blocks(path):
                whole.update(block)
                box.put(f"input/{name}", offset, block)
                done += len(block)
                progress.advance(done)
            hashes[name] = whole.hexdigest()
        box.ask("POST", "work", json.dumps(hashes).encode())
        progress.stage("Waiting for the first word of the job")

    def _take(self, box: _Box, progress: Progress) -> None:
        listing = {name: (int(size), str(proof)) for name, (size, proof) in box.ask("GET", "output").items()}
        progress.stage("Fetching what came out", sum(size for size, _ in listing.values()), "bytes")
        done = 0
        for name in sorted(listing, key=lambda each: each == RESULT):
            size, proof = listing[name]
            inner = PurePosixPath(name)
            if inner.is_absolute() or ".." in inner.parts:
                raise TargetFailed(f"The pod names a file {name!r} outside of its output.", "Look at its image.")
            path = self._output / inner
            if not (path.is_file() and _sha256(path) == proof):
                self._take_one(box, name, path, size, proof)
            done += size
            progress.advance(done)

    def _take_one(self, box: _Box, name: str, path: Path, size: int, proof: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(_TRIES):
            with files.replacing(path) as temporary, temporary.open("w+b") as file:
                while file.tell() < size:
                    block = box.get(f"output/{name}", file.tell())
                    if not block:
                        break
                    file.write(block)
            if _sha256(path) == proof:
                return
        raise TargetFailed(f"{name} doesn't arrive as the pod has it, {_TRIES} times over.", "Run this again.")


class _Box:
    """The HTTP side of box.py. _Away when nobody answers, TargetFailed when the answer can't be right."""

    def __init__(self, space: Space, pod: str, token: str) -> None:
        self._space, self._pod, self._token = space, pod, token

    def ask(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        answer = json.loads(self._say(method, path, body, {}))
        return answer if isinstance(answer, dict) else {}

    def put(self, path: str, offset: int, block: bytes) -> None:
        proof = hashlib.sha256(block).hexdigest()
        self._say("PUT", path, block, {"X-Offset": str(offset), "X-Sha256": proof})

    def get(self, path: str, offset: int) -> bytes:
        return self._say("GET", path, None, {"X-Offset": str(offset)})

    def _say(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
        told = {"X-Token": self._token, **headers}
        status, answer = self._space.say(self._pod, PORT, method, path, body, told)
        if status == 200:
            return answer
        if status in (404, 409, 422) or status >= 500:
            raise _Away
        raise TargetFailed(
            f"The pod {self._pod} doesn't take what is brought ({status}): {answer[:200].decode(errors='replace')}",
            "The right to create pods/proxy in its namespace is needed; then run this again.",
        )


def _named(inputs: Mapping[str, Path]) -> Iterator[tuple[str, Path]]:
    """NAME/PATH → file; links are followed, what begins with a point is left out."""
    for name, place in inputs.items():
        if place.is_file():
            yield f"{name}/{place.name}", place
        for path in sorted(place.rglob("*")) if place.is_dir() else ():
            if path.is_file() and not path.name.startswith("."):
                yield f"{name}/{path.relative_to(place).as_posix()}", path


def _blocks(path: Path) -> Iterator[tuple[int, bytes]]:
    """(offset, block); one empty block for an empty file."""
    with path.open("rb") as file:
        offset = 0
        while (block := file.read(BLOCK)) or not offset:
            yield offset, block
            offset += len(block)
            if not block:
                return


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
