"""Floor 4, local: processes that outlive the command that started them, and how they are recognised again."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
from collections.abc import Iterable
from pathlib import Path

import psutil

from retailops.errors import TargetFailed

MODULE = "retailops.serving"
_CLOCK_S = 2.0  # start times are read from clocks that are set now and then


def start_time(pid: int) -> float:
    """When the process started, seconds since 1970; with the pid it names a process for ever."""
    return float(psutil.Process(pid).create_time())


def is_same(pid: int, started: float) -> bool:
    """Whether this number still is the process that started then; it may be another's by now."""
    try:
        return abs(start_time(pid) - started) <= _CLOCK_S
    except psutil.NoSuchProcess:
        return False


def alive(pid: int, started: float) -> bool:
    """Whether exactly this server still runs. A number that another process got since doesn't count."""
    _reap(pid)
    try:
        process = psutil.Process(pid)
        return is_same(pid, started) and process.status() != psutil.STATUS_ZOMBIE and MODULE in process.cmdline()
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return False  # not one that we started


def servers_of(folder: Path) -> list[psutil.Process]:
    """Every server process whose command line names something in `folder`, whatever our records say."""
    found = []
    for process in psutil.process_iter():
        try:
            arguments = process.cmdline()
        except psutil.Error:
            continue
        if MODULE in arguments and any(_inside(argument, folder) for argument in arguments):
            found.append(process)
    return found


def _inside(argument: str, folder: Path) -> bool:
    return argument == str(folder) or argument.startswith(f"{folder}{os.sep}")


def version_of(process: psutil.Process) -> str:
    """The model version on a server's command line, for people; "?" when it is gone."""
    try:
        arguments = process.cmdline()
        return arguments[arguments.index("--version") + 1]
    except (psutil.Error, ValueError, IndexError):
        return "?"


def end(processes: Iterable[psutil.Process], sign: signal.Signals, patience_s: float) -> None:
    """Ask all of them to go, wait, and kill those that don't. One that is gone already is success."""
    asked = list(processes)
    for process in asked:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(sign)
    _, stubborn = psutil.wait_procs(asked, timeout=patience_s)
    for process in stubborn:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=patience_s)


def _reap(pid: int) -> None:
    """A child of ours that has ended stays in the process table until it is asked for."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def bind(host: str, port: int) -> socket.socket:
    """A TCP socket bound to the address, not listening yet. TargetFailed, naming who is there, when it can't be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise TargetFailed(f"{host} isn't an address of this machine: {error.strerror}.", "Set deploy.host.") from error
    sock = socket.socket(family, kind, protocol)
    try:
        if _answers(family, address):
            raise OSError(errno.EADDRINUSE, "in use")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise TargetFailed(
                f"Port {port} on {host} is taken by {_owner(port)}.",
                "Set deploy.port in retail.yaml to a free port, or end that program.",
            ) from error
        what = f"Port {port} on {host} can't be listened on: {error.strerror}."
        raise TargetFailed(what, "Set deploy.host and deploy.port in retail.yaml.") from error
    return sock


def _answers(family: int, address: tuple[object, ...]) -> bool:
    """Someone may listen on the port with options that let us bind it too; then we would share their visitors."""
    if address[1] == 0:
        return False
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex(address) == 0


def _owner(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and tuple(connection.laddr)[1:2] == (port,)
            if listens and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:  # macOS tells only an administrator
        return "another program"
    return "another program"
