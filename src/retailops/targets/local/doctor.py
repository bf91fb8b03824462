"""Floor 4, local: what this machine must have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from retailops.ports import Finding
from retailops.progress import Progress


class LocalDoctor:
    """Python, memory, disk and port."""

    def findings(self, progress: Progress) -> Iterator[Finding]:
        yield from ()

    def policy(self) -> Mapping[str, Any]:
        return {}
