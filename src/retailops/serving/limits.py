"""How much a request may ask for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    max_lines: int = 500  # of one basket
    max_baskets: int = 1000  # of one batch
    max_body: int = 1024 * 1024
    body_timeout_s: float = 5.0  # for a whole body to arrive
    header_timeout_s: float = 10.0  # for the first request on a connection to begin
    drain_s: float = 2.0  # how long a server that was told to go keeps saying `Connection: close`
