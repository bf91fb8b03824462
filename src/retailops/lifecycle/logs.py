"""logs: what the live server says."""

from __future__ import annotations

from collections.abc import Iterator

from retailops.ports import Target


def logs(target: Target, lines: int, follow: bool) -> Iterator[str]:
    """The last `lines` lines; with `follow`, further ones until interrupted."""
    return target.serving.logs(lines, follow)
