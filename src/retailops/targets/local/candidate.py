"""Floor 4, local: a server that isn't live yet, seen from the deployer; the other end is retailops.serving.handover."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from retailops.errors import BY_CODE, RetailOpsError, TargetFailed
from retailops.targets.local.processes import start_time

READY_S = 60.0
ANSWER_S = 20.0  # longer than the lease between the two servers, so that they settle it first
_LINES = 15
_LEAVE_S = 10.0


class _Detached(subprocess.Popen[bytes]):
    """A process that outlives us on purpose: no warning that it still runs when we forget it."""

    def __del__(self, *_: Any) -> None:
        return None


class Candidate:
    """Our death closes the socket pair, and that ends the candidate unless it has been told to go live."""

    def __init__(self, arguments: Sequence[str], folder: Path, log: Path) -> None:
        """Start `python -m retailops.serving ARGUMENTS` in a session of its own, its output appended to `log`."""
        self._channel, theirs = socket.socketpair()
        self.log = log
        with theirs, log.open("ab") as output:
            self._process = _Detached(
                [sys.executable, "-P", "-m", "retailops.serving", *arguments, "--channel", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=folder,
                start_new_session=True,
                pass_fds=[theirs.fileno()],
            )
        self.pid = self._process.pid
        self.started = start_time(self.pid)
        self._committed = False

    def ready(self) -> int:
        """The private port, once the bundle is loaded and proved. Raises what the candidate failed with."""
        port: int = self._hear("ready", READY_S)["port"]
        return port

    def take(self, control: str | None, public: socket.socket | None) -> None:
        """Let it accept on the public socket: `public`, or that of the live server behind `control`."""
        message = json.dumps({"do": "take", "control": control}).encode() + b"\n"
        try:
            socket.send_fds(self._channel, [message], [public.fileno()] if public else [])
        except OSError as error:
            raise self._died() from error
        self._hear("serving", ANSWER_S)

    def commit(self, state: Mapping[str, Any], old_pid: int | None) -> None:
        """From here on it is the endpoint, whatever becomes of us."""
        self._committed = True
        try:
            self._channel.sendall(json.dumps({"do": "commit", "state": state, "old_pid": old_pid}).encode() + b"\n")
        except OSError as error:
            raise self._died() from error
        self._hear("committed", ANSWER_S)
        self._channel.close()

    def withdraw(self) -> None:
        """End it, unless it may be live already; then it decides alone.

        The end of the channel is all it needs to hear: it lets whoever it was serving go, and leaves.
        """
        self._channel.close()
        if self._committed:
            return
        try:
            self._process.wait(timeout=_LEAVE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _hear(self, event: str, patience_s: float) -> dict[str, Any]:
        self._channel.settimeout(patience_s)
        received = b""
        try:
            while not received.endswith(b"\n"):
                part = self._channel.recv(1 << 16)
                if not part:
                    raise self._died()
                received += part
        except TimeoutError:
            what = f"The new server didn't get to {event!r} within {patience_s:g} s.{self._last_lines()}"
            raise TargetFailed(what, f"Its log is {self.log}.") from None
        except ConnectionError as error:
            raise self._died() from error
        message: dict[str, Any] = json.loads(received)
        if message["event"] == "failed":
            raise BY_CODE.get(message["code"], RetailOpsError)(message["what"], message["fix"])
        return message

    def _died(self) -> TargetFailed:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        code = self._process.returncode
        return TargetFailed(f"The new server {_end(code)}.{self._last_lines()}", f"Its log is {self.log}.")

    def _last_lines(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-_LINES:]
        return "".join(f"\n  {line}" for line in [" Its last words:", *lines]) if lines else ""


def _end(code: int | None) -> str:
    if code is None:
        return "stopped answering"
    if code >= 0:
        return f"exited with {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
