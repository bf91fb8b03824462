"""serve: where the bundle is that a foreground server should load."""

from __future__ import annotations

from pathlib import Path

from retailops.lifecycle.models import find
from retailops.ports import Target


def bundle(target: Target, version: int | None) -> tuple[Path, int]:
    """The bundle folder and number of a version (None: the newest)."""
    model = find(target, version)
    return model.run.bundle, model.version
