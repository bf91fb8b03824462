"""The server process: listening sockets, the event loop, and leaving without dropping anyone."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import time
from email.utils import formatdate
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.server import ServerState

from retailops.serving.app import build
from retailops.serving.connection import Connection
from retailops.serving.front import Front
from retailops.serving.journal import FLUSH_S, Journal
from retailops.serving.live import Live

LOG = logging.getLogger("retailops.serving")

_KEEP_ALIVE_S = 30  # an idle connection is closed after this
_FINISH_S = 30.0  # requests that are being answered when the server leaves get this long
_BACKLOG = 2048


class Listener:
    """A listening socket that can stop accepting and start again; meanwhile the kernel queues who connects."""

    def __init__(self, sock: socket.socket, front: Front, state: ServerState) -> None:
        self.sock = sock
        self._state = state
        self._server: asyncio.AbstractServer | None = None
        self._config = Config(
            front,
            http=Connection,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            backlog=_BACKLOG,
        )
        self._config.load()

    async def open(self) -> None:
        if self._server is None:
            loop = asyncio.get_running_loop()
            # A duplicate: closing the asyncio server must not close the socket that a successor may take over.
            self._server = await loop.create_server(self._connection, sock=self.sock.dup(), backlog=_BACKLOG)

    def _connection(self) -> asyncio.Protocol:
        return Connection(self._config, self._state, {}, asyncio.get_running_loop())

    def pause(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def close(self) -> None:
        """For good: who connects now is refused, unless a successor has the socket too."""
        self.pause()
        self.sock.close()


class Server:
    """One verified bundle on a public socket, and for a candidate on a private one beforehand."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self._state = ServerState()
        self._app: Any = build(live)
        self._fronts: list[Front] = []
        self._listeners: list[Listener] = []
        self._leaving: asyncio.Task[None] | None = None
        self._left = asyncio.Event()

    async def listen(self, sock: socket.socket, *, recorded: bool) -> Listener:
        """Answer on `sock`; only recorded requests count and are logged."""
        front = Front(self._app, self.live, self._state.tasks, recorded=recorded)
        listener = Listener(sock, front, self._state)
        self._fronts.append(front)
        self._listeners.append(listener)
        await listener.open()
        return listener

    async def go_public(self, sock: socket.socket, journal: Journal) -> Listener:
        """From now on this process is an endpoint."""
        self.live.journal = journal
        listener = await self.listen(sock, recorded=True)
        LOG.info("Model version %d serves on %s port %d", self.live.predictor.version, *sock.getsockname()[:2])
        return listener

    async def pause(self, listener: Listener) -> socket.socket:
        """Stop accepting, without closing the socket: a successor is about to try it."""
        listener.pause()
        return listener.sock

    async def resume(self, listener: Listener) -> None:
        """The successor gave up."""
        if self._leaving is None:
            await listener.open()
            LOG.info("The successor gave up; serving on")

    async def run(self) -> None:
        """Until told to leave: SIGTERM drains first, SIGINT only finishes what is being answered."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.leave, True, self.live.limits.drain_s)
        loop.add_signal_handler(signal.SIGINT, self.leave, False, 0.0)
        gc.collect()
        gc.freeze()  # the model's tables stay for ever: no collection needs to walk through them
        self.live.ready = self.live.metrics.ready = True
        second = 0
        while not self._left.is_set():
            now = int(time.time())
            if now != second:
                second = now
                self._state.default_headers = [(b"date", formatdate(now, usegmt=True).encode())]
                for connection in list(self._state.connections):
                    cast(Connection, connection).close_if_overdue(self.live.limits.header_timeout_s)
            for front in self._fronts:
                front.sweep()
            if self.live.journal is not None:
                self.live.journal.flush()
            try:
                await asyncio.wait_for(self._left.wait(), FLUSH_S)
            except TimeoutError:
                continue
        if self.live.journal is not None:
            self.live.journal.close()
        LOG.info("Model version %d has left", self.live.predictor.version)

    def leave(self, accept: bool, drain_s: float) -> None:
        """Begin to go. Twice is harmless.

        accept  keep taking new connections while draining: whoever sends them here needs time to see `/readyz`
        """
        if self._leaving is None:
            self._leaving = asyncio.get_running_loop().create_task(self._leave(accept, drain_s))

    async def _leave(self, accept: bool, drain_s: float) -> None:
        LOG.info("Leaving")
        self.live.draining, self.live.metrics.ready = True, False
        if not accept:
            self._close_listeners()
        await self._until_quiet(drain_s, early=not accept)
        self._close_listeners()
        for connection in list(self._state.connections):
            connection.shutdown()
        await self._until_quiet(_FINISH_S, early=True)
        for task in list(self._state.tasks):
            task.cancel()
        self._left.set()

    async def _until_quiet(self, seconds: float, *, early: bool) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not (early and not self._state.connections and not self._state.tasks):
            await asyncio.sleep(0.02)

    def _close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()
