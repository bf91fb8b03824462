"""Floor 4, local: the lake on disk: a raw zone of links to the user's own files, and the published datasets."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from retailops import files
from retailops.errors import NotReady
from retailops.ports import Raw, Table
from retailops.progress import Progress
from retailops.retail import originals
from retailops.retail.dataset import MANIFEST, Dataset
from retailops.retail.sources import discover
from retailops.targets.local.workspace import Workspace

_PUBLISHED = "published.json"  # beside the manifest, not in it: when isn't part of what


class LocalLake:
    """workspace/lake: raw/<key>/ holds links, never copies; datasets/<version>/ holds what the ETL made."""

    def __init__(self, workspace: Workspace, memory_mb: int = 700, threads: int = 2) -> None:
        self._workspace = workspace
        self._memory_mb, self._threads = memory_mb, threads  # of questions
        self._lake = workspace.folder / "lake"

    def put(self, source: Path, progress: Progress) -> Raw:
        """Register a file or folder. Same contents, same Raw, whatever the names; the links follow the latest place."""
        # Whether the label is there is for the ETL to ask: these may be rows to predict.
        found = discover(source.expanduser().absolute(), labelled=False, progress=progress)
        self._workspace.claim()
        with files.lock(self._lake / "lock", f"registering {source}"):
            registered = originals.hashed(found, self._lake / "hashes.json", progress)
            key = originals.key([file.sha256 for file in registered])
            folder = self._lake / "raw" / key
            listing = {"files": [asdict(file) for file in registered], "key": key}
            if files.read_json(folder / "files.json") != listing or not originals.linked(folder, registered):
                files.remove(folder, first=["files.json"])
                folder.mkdir(parents=True)
                originals.link(folder, registered)
                files.write_json(folder / "files.json", listing)
        return Raw(key, folder, tuple(file.name for file in registered), sum(file.bytes for file in registered))

    def scratch(self) -> Path:
        """workspace/lake/scratch, made when it isn't there."""
        self._workspace.claim()
        folder = self._lake / "scratch"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def publish(self, folder: Path) -> Dataset:
        """One rename takes the folder into the zones; a link stays behind, so that the job's result is still there."""
        dataset = Dataset.open(folder)
        target = self._lake / "datasets" / dataset.version
        self._workspace.claim()
        with files.lock(self._lake / "lock", f"publishing the dataset {dataset.version}"):
            if folder.resolve() != target.resolve():
                self._take(folder, target)
            files.write_json(target / _PUBLISHED, {"at": datetime.now(UTC).isoformat()})
        return Dataset.open(target)

    def datasets(self) -> list[Dataset]:
        """All datasets by the time they were last published."""
        root = self._lake / "datasets"
        folders = [folder for folder in root.iterdir() if (folder / MANIFEST).is_file()] if root.is_dir() else []
        return [Dataset.open(folder) for folder in sorted(folders, key=_published)]

    def ask(self, sql: str, limit: int, progress: Progress) -> Table:
        """DuckDB in this process, with the ETL's memory; it sees the zones of the newest dataset and nothing else."""
        from retailops.retail import question

        found = self.datasets()
        if not found:
            raise NotReady("There is no dataset to ask.", "Run: retailops etl")
        columns, rows = question.ask(found[-1], sql, limit + 1, memory_mb=self._memory_mb, threads=self._threads)
        return Table(tuple(columns), tuple(map(tuple, rows[:limit])), len(rows) > limit, found[-1].version)

    def _take(self, folder: Path, target: Path) -> None:
        if not (target / MANIFEST).is_file():
            files.remove(target)  # a dataset without its manifest is a removal that was cut short
        if not files.move(folder, target):
            files.remove(folder, first=[MANIFEST])
        folder.symlink_to(os.path.relpath(target, folder.parent), target_is_directory=True)


def _published(folder: Path) -> tuple[str, str]:
    record = files.read_json(folder / _PUBLISHED)
    if isinstance(record, dict) and "at" in record:
        return str(record["at"]), folder.name
    return datetime.fromtimestamp((folder / MANIFEST).stat().st_mtime, UTC).isoformat(), folder.name
