"""What the pod of a carried ETL runs: it takes rows in over HTTP, has them worked on, and hands the zones out.

    python -m retailops.batch.box etl --token FILE --data DIR [--port N] [--parameters JSON] [--worker JSON]

GET  state                {"at": "waiting" | "working" | "done", "code": exit code of the work}
PUT  input/NAME/PATH      a block of an input; X-Offset says where it belongs, X-Sha256 what it is
POST work                 {"NAME/PATH": sha256}: all of it is here; 409 with the names of those that aren't
GET  output               {"PATH": [bytes, sha256]} of what the work left
GET  output/PATH          BLOCK bytes from X-Offset on
POST taken                whoever asked has it all: this process ends, by the exit code of the work

Whoever asks shows X-Token. Without anybody who brings or takes it waits, until its Job's time is over.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import sys
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import Any

from retailops.batch import inside
from retailops.batch.agreed import BLOCK, GATE_FAILED, PORT

_HELD_S = 60.0  # how long what was refused may be looked at
_BOUND = 4 * BLOCK  # of one request's body


class Box:
    """The folder with inputs and output, and how far the work on them is."""

    def __init__(self, folder: Path, token: str) -> None:
        self.folder, self._token = folder, token
        self.full, self.empty = threading.Event(), threading.Event()
        self.at, self.code = "waiting", 0

    def knows(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._token.encode())

    def path(self, *parts: str) -> Path | None:
        """A path below the folder; None for one that would leave it."""
        inner = PurePosixPath(*parts)
        return None if inner.is_absolute() or ".." in inner.parts else self.folder / inner

    def put(self, path: Path, offset: int, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("r+b" if path.exists() else "w+b") as file:
            file.seek(offset)
            file.truncate()
            file.write(data)

    def missing(self, wanted: dict[str, str]) -> list[str]:
        """Names of inputs that aren't here as they should be; when none are, work begins."""
        paths = {name: self.path("input", name) for name in wanted}
        wrong = [name for name, path in paths.items() if path is None or _sha256(path) != wanted[name]]
        if not wrong and not self.full.is_set():
            self.at = "working"
            self.full.set()
        return wrong

    def output(self) -> dict[str, list[Any]]:
        root = self.folder / "output"
        found = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*")) if path.is_file()}
        # What begins with a point is what the work needed on its way.
        kept = {name: path for name, path in found.items() if not name.startswith(".")}
        return {name: [path.stat().st_size, _sha256(path)] for name, path in kept.items()}


def answerer(box: Box) -> type[BaseHTTPRequestHandler]:
    class Answerer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_GET(self) -> None:
            self._guarded(self._get)

        def do_PUT(self) -> None:
            self._guarded(self._put)

        def do_POST(self) -> None:
            self._guarded(self._post)

        def log_message(self, format: str, *args: object) -> None:
            return None  # standard output is the work's

        def _guarded(self, act: Any) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(size) if size <= _BOUND else b""
            if not box.knows(self.headers.get("X-Token", "")):
                self._tell(403, {"error": "another token"})
            elif size > _BOUND:
                self._tell(413, {"error": f"more than {_BOUND} bytes"})
            else:
                act(self.path.strip("/"), body)

        def _get(self, path: str, body: bytes) -> None:
            if path == "state":
                self._tell(200, {"at": box.at, "code": box.code})
            elif path == "output" and box.at == "done":
                self._tell(200, box.output())
            elif box.at == "done" and (found := box.path(*self._parts(path))) and found.is_file():
                with found.open("rb") as file:
                    file.seek(self._offset)
                    self._send(200, file.read(BLOCK))
            else:
                self._tell(404, {"error": path})

        def _put(self, path: str, body: bytes) -> None:
            place = box.path(*self._parts(path))
            if box.at != "waiting" or place is None or not path.startswith("input/"):
                self._tell(409, {"error": f"{path} can't be brought now"})
            elif hashlib.sha256(body).hexdigest() != self.headers.get("X-Sha256"):
                self._tell(422, {"error": "not what was sent"})
            else:
                box.put(place, self._offset, body)
                self._tell(200, {})

        def _post(self, path: str, body: bytes) -> None:
            if path == "work":
                wrong = box.missing(json.loads(body))
                self._tell(409 if wrong else 200, {"missing": wrong})
            elif path == "taken" and box.at == "done":
                self._tell(200, {})
                box.empty.set()
            else:
                self._tell(404, {"error": path})

        def _parts(self, path: str) -> tuple[str, ...]:
            from urllib.parse import unquote

            return PurePosixPath(unquote(path)).parts

        @property
        def _offset(self) -> int:
            return max(0, int(self.headers.get("X-Offset", 0)))

        def _tell(self, status: int, value: object) -> None:
            self._send(status, json.dumps(value).encode())

        def _send(self, status: int, data: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Answerer


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="retailops.batch.box", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("kind")
    parser.add_argument("--token", type=Path, required=True, metavar="FILE")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--host", default="0.0.0.0", help="inside a pod: its own address alone")  # noqa: S104
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--parameters", type=json.loads, default={}, metavar="JSON")
    parser.add_argument("--worker", type=json.loads, default=list(inside.WORKER), metavar="JSON")
    given = parser.parse_args(arguments)
    inside.end_on_sigterm()
    box = Box(given.data, given.token.read_text(encoding="utf-8").strip())
    server = ThreadingHTTPServer((given.host, given.port), answerer(box))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        box.full.wait()
        inputs = {path.name: path for path in sorted((box.folder / "input").iterdir())}
        box.code = inside.work(given.worker, given.kind, inputs, box.folder / "output", given.parameters)
        inside.end_on_sigterm()
        if box.code in (0, GATE_FAILED):
            box.at = "done"
            box.empty.wait(None if box.code == 0 else _HELD_S)
    finally:
        server.shutdown()
    return box.code


def _sha256(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    sys.exit(main())
