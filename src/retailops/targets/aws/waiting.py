"""Floor 4, aws: waiting for AWS to finish what it was asked for."""

from __future__ import annotations

import time
from collections.abc import Callable

LOOK_S = 5.0


def until(done: Callable[[], bool], seconds: float, look_s: float = LOOK_S) -> bool:
    """Look until `done`, at most for `seconds`. Returns whether it was; looks once at least."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() >= deadline:
            return False
        time.sleep(look_s)
    return True
