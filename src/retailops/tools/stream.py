"""Floor 3: a Terraform command that takes long, as a stream of events, which Ctrl-C asks to stop in order.

Terraform writes its events to a file, not to a pipe of ours: when this process is killed, Terraform isn't, and still
finishes its step, writes the state and lets go of the lock.
"""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from retailops.errors import Interrupted
from retailops.progress import Progress

_LOOK_S = 0.05


@dataclass(frozen=True)
class Event:
    """One line of Terraform's `-json` output."""

    type: str
    body: dict[str, Any]

    @classmethod
    def read(cls, line: bytes) -> Self | None:
        """The event of a line; None for a line that isn't one."""
        try:
            body = json.loads(line)
        except ValueError:
            return None
        return cls(str(body.get("type", "")), body) if isinstance(body, dict) else None

    @property
    def diagnostic(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body.get("diagnostic", {})
        return found

    @property
    def is_error(self) -> bool:
        return self.type == "diagnostic" and self.diagnostic.get("severity") == "error"

    @property
    def address(self) -> str:
        """The resource that an `apply_…` event is about."""
        return str(self._hook.get("resource", {}).get("addr", ""))

    @property
    def resource_type(self) -> str:
        return str(self._hook.get("resource", {}).get("resource_type", ""))

    @property
    def action(self) -> str:
        """`create`, `update`, `delete`."""
        return str(self._hook.get("action", ""))

    @property
    def identity(self) -> str:
        """The resource's id, known when it has been created."""
        return str(self._hook.get("id_value", ""))

    @property
    def seconds(self) -> float:
        return float(self._hook.get("elapsed_seconds", 0))

    @property
    def _hook(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body.get("hook", {})
        return found


class Stream:
    """One run of `command` in `folder`. `inherit`: descriptors, of locks, that it holds until it ends itself."""

    def __init__(self, command: Sequence[str], folder: Path, log: Path, inherit: Sequence[int]) -> None:
        self.log = log
        self.errors: list[dict[str, Any]] = []
        self.code: int | None = None
        self._command = list(command)
        self._folder = folder
        self._inherit = tuple(inherit)
        self._asked = 0

    def events(self, progress: Progress) -> Iterator[Event]:
        """Run it to its end, whatever that is; `code` and `errors` tell afterwards. Interrupted after Ctrl-C."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as written:
            process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a terminal's Ctrl-C reaches us alone; we pass it on, once
                pass_fds=self._inherit,
            )
        try:
            with self._asking(process):
                yield from self._follow(process, progress)
        finally:
            if process.poll() is None:  # whoever read the events gave up: nobody is left to watch it
                process.send_signal(signal.SIGINT)
                process.wait()
        self.code = process.returncode
        if self._asked:
            raise Interrupted(
                f"Interrupted; Terraform has {'ended in order' if self._asked == 1 else 'been cut off'}.",
                "Run this again: it goes on where it stopped.",
            )

    def _follow(self, process: subprocess.Popen[bytes], progress: Progress) -> Iterator[Event]:
        told = 0
        half = b""
        with self.log.open("rb") as file:
            while True:
                ended = process.poll() is not None  # asked before reading, so that the last lines aren't missed
                *lines, half = (half + file.read()).split(b"\n")
                for event in filter(None, map(Event.read, lines)):
                    if event.is_error:
                        self.errors.append(event.diagnostic)
                    yield event
                if told < self._asked:
                    told = self._asked
                    progress.note(_ASKED if told == 1 else _CUT)
                if ended:
                    return
                if not lines:
                    time.sleep(_LOOK_S)

    @contextmanager
    def _asking(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        """Ctrl-C and SIGTERM ask Terraform to stop, and don't interrupt us meanwhile."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def ask(number: int, frame: object) -> None:
            self._asked += 1
            process.send_signal(signal.SIGINT)

        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


_ASKED = "Stopping: Terraform finishes what it has begun and lets go of the state. Again Ctrl-C cuts it off."
_CUT = "Cut off: what was under way may stand without being in the state."
