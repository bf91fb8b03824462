"""Versions to build images of, without a registry of models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from retailops.ports import ModelVersion, Run
from retailops.retail.bundle import Bundle


@pytest.fixture
def version(bundle_folder: Path) -> Callable[[int], ModelVersion]:
    """The real bundle as a version of this number."""

    def of(number: int) -> ModelVersion:
        bundle = Bundle.open(bundle_folder)
        run = Run("run-1", "xgboost", "dataset-1", bundle.folder, bundle.hash, "2026-01-01T00:00:00Z", {}, {})
        return ModelVersion(number, run)

    return of
