"""How a new server takes over from an old one: who says what to whom, and why nobody can die at a wrong moment.

Three processes take part. The deployer starts the candidate with one end of a socket pair; both speak lines of JSON.

    deployer → candidate             candidate → deployer          candidate ↔ old server (unix socket control-PID.sock)
                                     {"event": "ready", "port"}
    {"do": "take", "control"} [+fd]                                "take" → the old one pauses and sends its socket
                                     {"event": "serving"}
    {"do": "commit", "state"}        (writes endpoint.json)        "release" → "released": the old one drains and leaves
                                     {"event": "committed"}
    on any failure                   {"event": "failed", "code", "what", "fix"}

Until "commit" is in the candidate's hands the deployer's death, seen as the end of the socket pair, ends the candidate;
the candidate's death, seen as the end of the unix socket, lets the old server accept again. Since the listening socket
stays open in the old server all the while, connections wait in its queue and none is refused. After "commit" the
deployer isn't needed any more. Whoever holds an answer back for LEASE_S counts as dead.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retailops import files
from retailops.errors import RetailOpsError, TargetFailed
from retailops.serving.journal import Journal
from retailops.serving.server import Listener, Server

LOG = logging.getLogger("retailops.serving")

LEASE_S = 15.0
ENDPOINT = "endpoint.json"


def control_path() -> Path:
    """This process's unix socket in the endpoint's folder, where it runs: relative, for such paths may not be long."""
    return Path(f"control-{os.getpid()}.sock")


@dataclass(frozen=True)
class Stage:
    """A candidate that answers on its private port, and what going live takes."""

    server: Server
    loop: asyncio.AbstractEventLoop
    open_journal: Callable[[], Journal]

    def go_live(self, public: socket.socket) -> None:
        """Accept on `public`, and listen for a successor; called from the attending thread."""
        going = self.server.go_public(public, self.open_journal())
        listener = asyncio.run_coroutine_threadsafe(going, self.loop).result(LEASE_S)
        Control(self.server, listener, self.loop).start()


class Candidate:
    """The candidate's end of the socket pair, attended by a thread of its own from the first moment on."""

    def __init__(self, descriptor: int) -> None:
        self._channel = socket.socket(fileno=descriptor)
        self._stage: Stage | None = None
        self._old: socket.socket | None = None
        threading.Thread(target=self._attend, name="candidate", daemon=True).start()

    def ready(self, stage: Stage, port: int) -> None:
        """The private port answers; from now on the deployer may say what to do."""
        self._stage = stage
        self._say({"event": "ready", "port": port})

    def failed(self, error: RetailOpsError) -> None:
        """Tell why this candidate won't serve. A deployer that is gone needn't know."""
        with contextlib.suppress(OSError):
            self._say({"event": "failed", "code": error.code, "what": error.what, "fix": error.fix})

    def _attend(self) -> None:
        try:
            message, descriptor = self._hear()
            while message["do"] != "commit":
                self._take(message["control"], descriptor)
                self._say({"event": "serving"})
                message, descriptor = self._hear()
            files.write_json(Path(ENDPOINT), message["state"])  # this rename is the moment that counts
        except (OSError, EOFError, RuntimeError) as error:
            self._withdraw(error)
            return
        self._release(message["old_pid"])
        with contextlib.suppress(OSError):  # the deployer may be gone by now; the deed is done
            self._say({"event": "committed"})
        self._channel.close()

    def _take(self, control: str | None, descriptor: int | None) -> None:
        """Get the public socket, from the old server or bound by the deployer, and begin to accept on it."""
        public = socket.socket(fileno=descriptor) if descriptor is not None else None
        if control:
            self._old = socket.socket(socket.AF_UNIX)
            self._old.settimeout(LEASE_S)
            self._old.connect(control)
            self._old.sendall(b"take\n")
            _, descriptors, _, _ = socket.recv_fds(self._old, 64, 1)
            handed = socket.socket(fileno=descriptors[0]) if descriptors else None
            public = public or handed
        if public is None or self._stage is None:
            raise EOFError("the old server didn't hand over its socket")
        self._stage.go_live(public)

    def _release(self, old_pid: int | None) -> None:
        """Let the old server go. One that doesn't hear it any more gets the signal that means the same."""
        if self._old is None or old_pid is None:
            return
        try:
            with self._old:
                self._old.sendall(b"release\n")
                if self._old.recv(64) == b"released\n":
                    return
        except OSError as error:
            LOG.info("The old server doesn't hear: %s", error)
        with contextlib.suppress(ProcessLookupError):
            os.kill(old_pid, signal.SIGTERM)

    def _withdraw(self, error: Exception) -> None:
        """The deployer is gone or the socket couldn't be had: leave everything as it was."""
        LOG.info("Not going live: %s", error)
        self.failed(TargetFailed(f"The candidate couldn't take over: {error}.", "Run the deploy again."))
        if self._old is not None:
            self._old.close()
        if self._stage is None:
            os._exit(1)  # still loading, nobody is being served
        # It may have been public for a moment: who is connected gets told to go before the connection ends.
        server = self._stage.server
        self._stage.loop.call_soon_threadsafe(server.leave, False, server.live.limits.drain_s)
        last_resort = threading.Timer(LEASE_S, os._exit, (1,))
        last_resort.daemon = True
        last_resort.start()

    def _say(self, message: dict[str, Any]) -> None:
        self._channel.sendall(json.dumps(message).encode() + b"\n")

    def _hear(self) -> tuple[dict[str, Any], int | None]:
        received = b""
        descriptor = None
        while not received.endswith(b"\n"):
            part, descriptors, _, _ = socket.recv_fds(self._channel, 1 << 16, 1)
            if not part:
                raise EOFError("the deployer is gone")
            received += part
            descriptor = descriptors[0] if descriptors else descriptor
        message: dict[str, Any] = json.loads(received)
        return message, descriptor


class Control(threading.Thread):
    """A live server's ear for its successor."""

    def __init__(self, server: Server, listener: Listener, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(name="control", daemon=True)
        self._server = server
        self._listener = listener
        self._loop = loop
        path = control_path()
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        path.chmod(0o600)
        self._socket.listen(1)

    def run(self) -> None:
        released = False
        while not released:
            connection, _ = self._socket.accept()
            with connection:
                connection.settimeout(LEASE_S)
                try:
                    released = self._lease(connection)
                except OSError as error:
                    LOG.info("A successor went silent: %s", error)
                if not released:
                    resuming = self._server.resume(self._listener)
                    asyncio.run_coroutine_threadsafe(resuming, self._loop).result()
        self._socket.close()
        self._loop.call_soon_threadsafe(self._server.leave, False, self._server.live.limits.drain_s)

    def _lease(self, connection: socket.socket) -> bool:
        """True when the successor has gone live."""
        if connection.recv(64) != b"take\n":
            return False
        pausing = self._server.pause(self._listener)
        public = asyncio.run_coroutine_threadsafe(pausing, self._loop).result()
        socket.send_fds(connection, [b"socket\n"], [public.fileno()])
        if connection.recv(64) != b"release\n":
            return False
        connection.sendall(b"released\n")
        return True
