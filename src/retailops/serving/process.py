"""From options to a running server, in the foreground or as a deployer's candidate."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from retailops.errors import RetailOpsError, TargetFailed
from retailops.serving.limits import Limits

if TYPE_CHECKING:
    from retailops.serving.journal import Journal
    from retailops.serving.live import Live

LOG_FORMAT = "%(asctime)s %(levelname)s %(process)d %(message)s"


@dataclass(frozen=True)
class Options:
    """endpoint and channel are a deployer's: the folder of its endpoint, and the candidate's end of its socket pair."""

    bundle: Path
    version: int
    log_folder: Path
    host: str = "127.0.0.1"
    port: int = 8080
    retention_days: int = 14
    limits: Limits = field(default_factory=Limits)
    endpoint: Path | None = None
    channel: int | None = None


def serve(options: Options, ready: Callable[[str], None] = lambda url: None) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is told the address. TargetFailed when bundle or port is no good."""
    _log_to(options)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        if options.endpoint is not None and options.channel is not None:
            runner.run(_candidate(options, options.endpoint, options.channel))
        else:
            runner.run(_foreground(options, ready))


async def _foreground(options: Options, ready: Callable[[str], None]) -> None:
    from retailops.serving.server import Server

    public = bind(options.host, options.port)
    live = _load(options)
    server = Server(live)
    await server.go_public(public, _journal(options, live))
    host, port = public.getsockname()[:2]
    ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    await server.run()


async def _candidate(options: Options, endpoint: Path, channel: int) -> None:
    """Answer on a private port until the deployer says what to do; see handover."""
    from retailops.serving.handover import Candidate, Stage, control_path
    from retailops.serving.server import Server

    os.chdir(endpoint)
    candidate = Candidate(channel)
    try:
        live = _load(options)
        server = Server(live)
        private = bind("127.0.0.1", 0)
        await server.listen(private, recorded=False)
    except RetailOpsError as error:
        candidate.failed(error)
        raise
    stage = Stage(server, asyncio.get_running_loop(), lambda: _journal(options, live))
    live.ready = True
    candidate.ready(stage, private.getsockname()[1])
    try:
        await server.run()
    finally:
        control_path().unlink(missing_ok=True)


def _load(options: Options) -> Live:
    from retailops.retail.predictor import Predictor
    from retailops.serving.live import Live
    from retailops.serving.metrics import Metrics

    predictor = Predictor.open(options.bundle, options.version)
    algorithm = str(predictor.card.get("algorithm", ""))
    info = {"version": str(options.version), "bundle_hash": predictor.bundle_hash, "algorithm": algorithm}
    return Live(predictor, options.limits, Metrics(info))


def _journal(options: Options, live: Live) -> Journal:
    from retailops.serving.journal import Journal

    return Journal(options.log_folder, options.version, options.retention_days, live.metrics)


def bind(host: str, port: int) -> socket.socket:
    """A listening TCP socket. TargetFailed when the address can't be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
            sock.listen()
        except BaseException:
            sock.close()
            raise
    except OSError as error:
        why = "it is taken by another program" if error.errno == errno.EADDRINUSE else error.strerror
        what = f"Port {port} on {host} can't be listened on: {why}."
        raise TargetFailed(what, "Set deploy.port (or --port) to a free one.") from error
    return sock


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    if sys.platform == "win32":
        return asyncio.new_event_loop
    import uvloop

    return uvloop.new_event_loop


def _log_to(options: Options) -> None:
    """In the foreground the log is also a file; a deployer has put its candidate's stderr into one already."""
    options.log_folder.mkdir(parents=True, exist_ok=True)
    log = logging.getLogger()
    log.setLevel(logging.INFO)
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # or each request that isn't HTTP would get a line
    if options.channel is None:
        file = logging.FileHandler(options.log_folder / "server.log")
        file.setFormatter(logging.Formatter(LOG_FORMAT))
        log.addHandler(file)
