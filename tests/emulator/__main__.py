"""`python -m emulator` (from tests/): the emulator until Ctrl-C, and the lines that lead a shell to it."""

from __future__ import annotations

import signal

from emulator import Emulator

with Emulator() as aws:
    for name, value in aws.environment.items():
        print(f"export {name}={value}", flush=True)
    signal.sigwait({signal.SIGINT, signal.SIGTERM})
