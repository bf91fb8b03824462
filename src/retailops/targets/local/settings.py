"""The `local` section of retail.yaml."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from retailops.config import Folder, Section


class Settings(Section):
    workspace: Folder = Field(
        Path(".retailops"),
        description="Folder for data, models and the server's files; teardown removes it. "
        "A relative path starts at this file's folder.",
    )
