"""The `toy` section of retail.yaml."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from retailops.config import Folder, Section


class Settings(Section):
    shelf: Folder = Field(Path("shelf"), description="Folder where everything lies.")
