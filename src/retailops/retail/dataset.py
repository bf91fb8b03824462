"""A dataset: the silver and gold zones that one ETL run made, and the manifest that proves what they are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retailops.errors import NotReady

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Dataset:
    """Read-only view of a dataset folder; `version` is the content hash of its inputs, options and ETL code."""

    folder: Path
    version: str
    rows: dict[str, int]  # raw, silver, quarantined, duplicates (rows) and gold (baskets)
    weeks: tuple[int, ...]  # fiscal weeks yyyyww present in silver, ascending
    labelled: bool
    manifest: dict[str, Any]

    @property
    def silver(self) -> Path:
        """Folder of typed, deduplicated rows, hive-partitioned by STORE_REGION and BASKET_TYPE."""
        return self.folder / "silver"

    @property
    def gold(self) -> Path:
        """Folder of parquet files with one row a basket."""
        return self.folder / "gold"

    @property
    def quarantine(self) -> Path:
        """Folder of the rows that broke the contract, each with file, line and reason."""
        return self.folder / "quarantine"

    @classmethod
    def open(cls, folder: Path) -> Dataset:
        """Read the manifest of `folder`. NotReady when the ETL hasn't finished there."""
        path = folder / MANIFEST
        if not path.is_file():
            raise NotReady(f"{folder} holds no finished dataset.", "Run: retailops etl --input PATH")
        manifest = json.loads(path.read_text())
        return cls(
            folder=folder,
            version=manifest["version"],
            rows=manifest["rows"],
            weeks=tuple(manifest["weeks"]),
            labelled=manifest["labelled"],
            manifest=manifest,
        )
