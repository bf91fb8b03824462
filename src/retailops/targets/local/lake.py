"""Floor 4, local: the lake on disk: a raw zone of links to the user's own files, and the published datasets."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from retailops import files
from retailops.errors import DataError
from retailops.ports import Raw
from retailops.progress import Progress
from retailops.retail.dataset import MANIFEST, Dataset
from retailops.retail.sources import SourceFile, discover
from retailops.targets.local.workspace import Workspace

_BLOCK = 1 << 20
_SETTLED_NS = 2_000_000_000  # a file changed more recently may change again within one tick of its mtime
_PUBLISHED = "published.json"  # beside the manifest, not in it: when isn't part of what


@dataclass(frozen=True)
class RawFile:
    """One registered file: its name in the raw zone, what it holds, and where the original lies."""

    name: str
    bytes: int
    sha256: str
    mtime_ns: int
    original: str


class LocalLake:
    """workspace/lake: raw/<key>/ holds links, never copies; datasets/<version>/ holds what the ETL made."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lake = workspace.folder / "lake"

    def put(self, source: Path, progress: Progress) -> Raw:
        """Register a file or folder. Same contents, same Raw, whatever the names; the links follow the latest place."""
        # Whether the label is there is for the ETL to ask: these may be rows to predict.
        found = discover(source.expanduser().absolute(), labelled=False, progress=progress)
        self._workspace.claim()
        with files.lock(self._lake / "lock", f"registering {source}"):
            registered = self._hash(found, progress)
            key = hashlib.sha256("\n".join(sorted(file.sha256 for file in registered)).encode()).hexdigest()[:16]
            folder = self._lake / "raw" / key
            listing = {"files": [asdict(file) for file in registered], "key": key}
            if files.read_json(folder / "files.json") != listing or not _linked(folder, registered):
                files.remove(folder, first=["files.json"])
                folder.mkdir(parents=True)
                for file in registered:
                    (folder / file.name).parent.mkdir(parents=True, exist_ok=True)
                    (folder / file.name).symlink_to(file.original)
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

    def _take(self, folder: Path, target: Path) -> None:
        if not (target / MANIFEST).is_file():
            files.remove(target)  # a dataset without its manifest is a removal that was cut short
        if not files.move(folder, target):
            files.remove(folder, first=[MANIFEST])
        folder.symlink_to(os.path.relpath(target, folder.parent), target_is_directory=True)

    def _hash(self, found: Sequence[SourceFile], progress: Progress) -> list[RawFile]:
        """Hash each file, or take the hash from the last time when path, inode, size and mtime are the same."""
        cache = self._lake / "hashes.json"
        remembered = files.read_json(cache)
        known = remembered if isinstance(remembered, dict) else {}
        total = sum(file.bytes for file in found)
        progress.stage("Fingerprinting the input files", total, "bytes")
        registered, done, fresh = [], 0, {}
        for file in found:
            path = file.path.resolve()
            before = path.stat()
            identity = [before.st_ino, before.st_size, before.st_mtime_ns]
            *seen, digest = known.get(str(path), [None])
            if seen != identity:
                digest = _sha256(path, done, progress)
                after = path.stat()
                if [after.st_ino, after.st_size, after.st_mtime_ns] != identity:
                    raise DataError(
                        f"{path} changed while it was read.", "Wait until it is written, then run this again."
                    )
            if time.time_ns() - before.st_mtime_ns > _SETTLED_NS:
                fresh[str(path)] = [*identity, digest]
            done += before.st_size
            progress.advance(done)
            registered.append(RawFile(file.name, before.st_size, digest, before.st_mtime_ns, str(path)))
        if any(known.get(path) != entry for path, entry in fresh.items()):
            kept = {path: entry for path, entry in known.items() if Path(path).exists()}
            files.write_json(cache, kept | fresh)
        return registered


def _linked(folder: Path, registered: Sequence[RawFile]) -> bool:
    links = [folder / file.name for file in registered]
    return all(
        link.is_symlink() and str(link.readlink()) == file.original
        for link, file in zip(links, registered, strict=True)
    )


def _sha256(path: Path, done: int, progress: Progress) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            done += len(block)
            progress.advance(done)
    return digest.hexdigest()


def _published(folder: Path) -> tuple[str, str]:
    record = files.read_json(folder / _PUBLISHED)
    if isinstance(record, dict) and "at" in record:
        return str(record["at"]), folder.name
    return datetime.fromtimestamp((folder / MANIFEST).stat().st_mtime, UTC).isoformat(), folder.name
