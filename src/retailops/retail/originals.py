"""Floor 1: the user's own files on their way into a raw zone: hashed once, linked and never copied."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from retailops import files
from retailops.errors import DataError
from retailops.progress import Progress
from retailops.retail.sources import SourceFile

_BLOCK = 1 << 20
_SETTLED_NS = 2_000_000_000  # a file changed more recently may change again within one tick of its mtime


@dataclass(frozen=True)
class RawFile:
    """One registered file: its name in the raw zone, what it holds, and where the original lies."""

    name: str
    bytes: int
    sha256: str
    mtime_ns: int
    original: str


def key(digests: Sequence[str]) -> str:
    """The name of these contents, given the SHA-256 of each file, whatever the files are called."""
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()[:16]


def hashed(found: Sequence[SourceFile], cache: Path, progress: Progress) -> list[RawFile]:
    """Hash each file, or take the hash from the last time when path, inode, size and mtime are the same."""
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
                raise DataError(f"{path} changed while it was read.", "Wait until it is written, then run this again.")
        if time.time_ns() - before.st_mtime_ns > _SETTLED_NS:
            fresh[str(path)] = [*identity, digest]
        done += before.st_size
        progress.advance(done)
        registered.append(RawFile(file.name, before.st_size, digest, before.st_mtime_ns, str(path)))
    if any(known.get(path) != entry for path, entry in fresh.items()):
        kept = {path: entry for path, entry in known.items() if Path(path).exists()}
        files.write_json(cache, kept | fresh)
    return registered


def link(folder: Path, registered: Sequence[RawFile]) -> None:
    """Fill an empty `folder` with links to the originals."""
    for file in registered:
        (folder / file.name).parent.mkdir(parents=True, exist_ok=True)
        (folder / file.name).symlink_to(file.original)


def linked(folder: Path, registered: Sequence[RawFile]) -> bool:
    """Whether the links are there and lead where they should."""
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
