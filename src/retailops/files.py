"""Floor 0: files that are whole or not there, and locks that commands running at the same time respect."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from retailops.errors import NotReady

_GRACE_S = 5.0  # how long the child of a killed command may take to notice and let go


def write_bytes(path: Path, data: bytes) -> None:
    """Put `data` at `path` so that a reader, or a power cut, sees the old contents or the new, never a part."""
    with replacing(path) as temporary, temporary.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, with its suffix; what is written there replaces it if all goes well."""
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.tmp{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """`write_bytes` of the text in UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """`write_text` of sorted, indented JSON. ValueError for NaN and infinity, which JSON doesn't have."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The value in `path`, None when there is no such file or it isn't whole JSON."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):  # ValueError covers bad UTF-8 and bad JSON
        return None


def move(source: Path, target: Path) -> bool:
    """Rename a folder on the same disk; False, with nothing changed, when `target` is there already."""
    if os.path.lexists(target):
        return False
    source.rename(target)
    _sync_folder(target.parent)
    return True


def remove(path: Path, *, first: Sequence[str] = ()) -> None:
    """Remove a file, a link or a whole folder; links inside are removed, never followed. Nothing there is success.

    `first` names the files in it that say "this folder is complete": a half-removed folder must not say so.
    """
    if path.is_dir() and not path.is_symlink():
        for name in first:
            (path / name).unlink(missing_ok=True)
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def size(path: Path) -> int:
    """Bytes of a file or of everything below a folder; a link counts as itself, not as what it points to."""
    if not path.is_dir() or path.is_symlink():
        return path.lstat().st_size if os.path.lexists(path) else 0
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            entry = Path(folder, name)
            total += entry.lstat().st_size if os.path.lexists(entry) else 0
    return total


@contextmanager
def lock(path: Path, what: str, *, wait: bool = True) -> Iterator[int]:
    """Hold `path` for the block. The system lets go of it when the holder dies, however it dies.

    Yields the descriptor: a child that inherits it holds the lock too, until it has ended as well.
    wait=False raises NotReady that says who holds it and what for, instead of waiting.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _open_locked(path, wait)
    try:
        record = {"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds"), "what": what}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(record).encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _open_locked(path: Path, wait: bool) -> int:
    deadline = time.monotonic() + _GRACE_S
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(path, descriptor):
                return descriptor
            os.close(descriptor)  # removed while we waited for it: what we hold is nobody's lock
        except BlockingIOError:
            os.close(descriptor)
            holder = read_json(path) or {}
            if _alive(holder.get("pid")) or time.monotonic() > deadline:
                raise _held(holder) from None
            time.sleep(0.05)
        except BaseException:
            os.close(descriptor)
            raise


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def _alive(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _held(holder: dict[str, Any]) -> NotReady:
    return NotReady(
        f"Another command is busy with this: {holder.get('what', 'unknown work')}"
        f" (process {holder.get('pid', 'unknown')}, since {holder.get('since', 'a moment ago')}).",
        "Wait for it to end, then run this again: what it finished is used, not repeated.",
        details={"holder": holder},
    )


def _sync_folder(folder: Path) -> None:
    """A rename is on disk only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
