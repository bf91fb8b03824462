"""What a training goes on from after an interruption: a folder that outlives it, and that it takes away in the end."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import retailops
from retailops import files
from retailops.errors import RetailOpsError
from retailops.progress import SILENT, Progress
from retailops.retail.bundle import Bundle
from retailops.retail.checkpoint import Checkpoint

FOLDER = "checkpoint"  # beside a job's output, when nobody says where
# Libraries whose other version may give other numbers; XGBoost comes under one of two names.
_LIBRARIES = ("numpy", "scikit-learn", "scipy", "xgboost", "xgboost-cpu")


@dataclass(frozen=True)
class Kept:
    """`folder` holds NAME/ and NAME.json of finished algorithms, and NAME.checkpoint of what is under way.

    of: what everything in it must be of; folder None: nothing is kept; without `writes` it is only read.
    """

    folder: Path | None = None
    of: Mapping[str, Any] = field(default_factory=dict)
    progress: Progress = SILENT
    writes: bool = True

    def checkpoint(self, name: str, of: Mapping[str, Any]) -> Checkpoint:
        """Where `name` keeps what it has so far; `of` is what decides it besides what decides everything here."""
        path = self.folder / f"{name}.checkpoint" if self.folder else None
        return Checkpoint(path, self._of(of), self.progress, writes=self.writes)

    def recall(self, name: str, of: Mapping[str, Any], folder: Path) -> dict[str, Any] | None:
        """What was finished before, its bundle now in `folder`; None when it wasn't, isn't whole, or is of another.

        Who only reads gets no bundle.
        """
        found = files.read_json(self.folder / f"{name}.json") if self.folder else None
        if self.folder is None or not isinstance(found, dict):
            return None
        try:
            whole = found["of"] == self._of(of) and Bundle.open(self.folder / name).hash == found["run"]["hash"]
        except (RetailOpsError, KeyError, TypeError):
            whole = False
        if not whole:
            self.progress.note(f"{name} was kept of something else, or isn't whole: it is trained anew.")
            return None
        if self.writes:
            shutil.copytree(self.folder / name, folder, dirs_exist_ok=True)
        run: dict[str, Any] = found["run"]
        return run

    def keep(self, name: str, of: Mapping[str, Any], run: dict[str, Any], folder: Path) -> None:
        """Keep a finished algorithm: the bundle first, then the word that it is there; its checkpoint is done with."""
        if self.folder is None or not self.writes:
            return
        files.remove(self.folder / name)
        shutil.copytree(folder, self.folder / name)
        files.write_json(self.folder / f"{name}.json", {"of": self._of(of), "run": run})
        self.checkpoint(name, of).clear()

    def clear(self) -> None:
        """Take everything away. The folder itself may be a mount, which stays."""
        if self.folder is None or not self.writes or not self.folder.is_dir():
            return
        for entry in self.folder.iterdir():
            files.remove(entry)
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def _of(self, more: Mapping[str, Any]) -> dict[str, Any]:
        versions = {name: _version(name) for name in _LIBRARIES} | {"retailops": retailops.__version__}
        return {"versions": versions, **self.of, **more}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
