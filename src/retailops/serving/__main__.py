"""`python -m retailops.serving`: the server as a process of its own, for containers and for deployers."""

from __future__ import annotations

import argparse
import faulthandler
import logging
import sys
from pathlib import Path

from retailops.errors import RetailOpsError
from retailops.serving import Limits, Options, serve
from retailops.serving.process import LOG_FORMAT


def main(arguments: list[str] | None = None) -> int:
    faulthandler.enable()  # a crash in native code leaves its stack in the log
    options = _options(arguments)
    logging.basicConfig(format=LOG_FORMAT)  # to stderr
    try:
        serve(options)
    except RetailOpsError as error:
        sys.stderr.write(f"{error}\n")
        return error.code
    return 0


def _options(arguments: list[str] | None) -> Options:
    plain = Limits()
    parser = argparse.ArgumentParser(prog="python -m retailops.serving", description="Serve one bundle over HTTP.")
    parser.add_argument("--bundle", type=_absolute, required=True, help="the bundle's folder")
    parser.add_argument("--version", type=int, required=True, help="the number that answers carry")
    parser.add_argument("--log-folder", type=_absolute, required=True, help="where predictions are logged")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080, help="0 = any free one")
    parser.add_argument("--retention-days", type=int, default=14, help="how long logged predictions are kept")
    parser.add_argument("--max-lines", type=int, default=plain.max_lines, help="of one basket")
    parser.add_argument("--max-baskets", type=int, default=plain.max_baskets, help="of one batch")
    parser.add_argument("--max-body-kb", type=int, default=plain.max_body // 1024)
    parser.add_argument("--body-timeout-s", type=float, default=plain.body_timeout_s)
    parser.add_argument("--header-timeout-s", type=float, default=plain.header_timeout_s)
    parser.add_argument("--drain-s", type=float, default=plain.drain_s, help="goes on answering so long after SIGTERM")
    parser.add_argument("--endpoint", type=_absolute, help=argparse.SUPPRESS)
    parser.add_argument("--channel", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    limits = Limits(
        max_lines=given.max_lines,
        max_baskets=given.max_baskets,
        max_body=given.max_body_kb * 1024,
        body_timeout_s=given.body_timeout_s,
        header_timeout_s=given.header_timeout_s,
        drain_s=given.drain_s,
    )
    return Options(
        given.bundle,
        given.version,
        given.log_folder,
        given.host,
        given.port,
        given.retention_days,
        limits,
        given.endpoint,
        given.channel,
    )


def _absolute(text: str) -> Path:
    return Path(text).absolute()


if __name__ == "__main__":
    sys.exit(main())
