"""Floor 3: whether an outside program is there, and what it says of its version."""

from __future__ import annotations

import shutil
import subprocess

_PATIENCE_S = 20


def version(name: str, *arguments: str) -> str | None:
    """First line of what the program answers; None when it isn't on the PATH, empty when it doesn't answer."""
    path = shutil.which(name)
    if path is None:
        return None
    try:
        done = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = done.stdout.strip().splitlines()
    return lines[0].strip() if done.returncode == 0 and lines else ""
