"""Fixtures of the whole suite."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_csv_folder() -> Path:
    """The folder of real weekly CSVs that RETAILOPS_REAL_DATA names; without it the test is skipped."""
    named = os.environ.get("RETAILOPS_REAL_DATA")
    if not named:
        pytest.skip("RETAILOPS_REAL_DATA names no folder of real weekly CSV files")
    folder = Path(named)
    if not any(folder.glob("transactions_*.csv")):
        pytest.fail(f"RETAILOPS_REAL_DATA={folder} holds no transactions_YYYYWW.csv")
    return folder
