"""Floor 4, local: making the workspace, taking everything of it away again, and looking whether it is gone."""

from __future__ import annotations

import os
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path
from typing import Literal

from retailops import files
from retailops.errors import TargetFailed, Unsupported
from retailops.ports import AS_IT_STANDS, NOTHING, Change, Standing, Terms
from retailops.progress import SILENT, Progress
from retailops.targets.local.cluster import NoCluster, Servers
from retailops.targets.local.jobs import LocalJobs, end_family
from retailops.targets.local.workspace import FOLDERS, MARKER, Workspace


class LocalInfra:
    """The workspace folder with its marker, and the processes that live off it."""

    def __init__(self, workspace: Workspace, jobs: LocalJobs, servers: Servers, cluster: Servers | None = None) -> None:
        self._workspace = workspace
        self._jobs = jobs
        self._servers = servers
        self._cluster = cluster or NoCluster()

    def changes(self, terms: Terms = AS_IT_STANDS, progress: Progress = SILENT) -> list[Change]:
        """The folders that `apply` would make. ConfigError when the workspace can't be ours."""
        if terms.parked is not None or terms.expires is not None:
            raise Unsupported(
                "The target local rents nothing, so there is nothing to park and nothing that expires.",
                "aws can: set `target: aws`. Here: retailops teardown",
            )
        folder = self._workspace.folder
        made = [] if self._workspace.owned() else [Change("create", "folder", str(folder), "the workspace")]
        missing = [name for name in FOLDERS if not (folder / name).is_dir()]
        return made + [Change("create", "folder", str(folder / name)) for name in missing]

    def apply(self, progress: Progress, terms: Terms = AS_IT_STANDS) -> list[Change]:
        """Make what is missing; twice is harmless."""
        made = self.changes(terms)
        progress.stage("Making the workspace")
        self._workspace.claim()
        return made

    def standing(self, progress: Progress = SILENT, *, drift: bool = True) -> Standing:
        """The workspace's folders."""
        if not self._workspace.owned():
            return Standing(0)
        here = [name for name in FOLDERS if (self._workspace.folder / name).is_dir()]
        return Standing(1 + len(here), detail={"workspace": str(self._workspace.folder)})

    def unlock(self) -> list[Change]:
        """Nothing to break: the system lets go of a local lock when its holder dies."""
        return []

    def removals(self, keep: AbstractSet[str] = NOTHING, progress: Progress = SILENT) -> list[Change]:
        """Servers, running jobs, what is in the workspace, then the workspace itself. ConfigError if it isn't ours."""
        if keep:
            raise Unsupported(
                "The target local keeps no data of its own: its raw zone links to your files, which stay anyway.",
                "Leave --keep out.",
            )
        owned, folder, there = self._workspace.owned(), self._workspace.folder, self._cluster.removals()
        if not owned:
            return [*there, *([Change("delete", "folder", str(folder), "empty")] if folder.exists() else [])]
        jobs = [Change("delete", "process", f"job {name}", f"process {pid}") for name, pid in self._jobs.running()]
        processes = _distinct([*self._servers.removals(), *jobs, *_changes("delete", folder)])
        inside = [Change("delete", _kind(path), str(path), _bytes(path)) for path in _contents(folder)]
        return [*there, *processes, *inside, Change("delete", "folder", str(folder), "the workspace")]

    def remove(self, progress: Progress, keep: AbstractSet[str] = NOTHING) -> None:
        """Remove all of it, the marker last, so that a removal cut short goes on the next time.

        Links are removed, never followed: the user's own files, to which the raw zone links, stay.
        """
        folder = self._workspace.folder
        self._cluster.remove()
        if self._workspace.owned():
            progress.stage("Ending servers and jobs")
            self._servers.remove()
            self._jobs.end()
            for _, pid in processes_of(folder):
                end_family(pid)
            contents = _contents(folder)
            progress.stage("Removing the workspace", len(contents), "entries")
            for done, path in enumerate(contents, start=1):
                _remove(path)
                progress.advance(done)
            (folder / MARKER).unlink(missing_ok=True)
        if folder.exists():
            _remove(folder)

    def left(self, keep: AbstractSet[str] = NOTHING, progress: Progress = SILENT) -> list[Change]:
        """The folder on disk, and any process of ours that works with it, whatever our records say."""
        folder = self._workspace.folder
        on_disk = [Change("left", "folder", str(folder), _bytes(folder))] if os.path.lexists(folder) else []
        return [*self._cluster.left(), *_distinct([*self._servers.left(), *_changes("left", folder)]), *on_disk]


def processes_of(folder: Path) -> list[tuple[str, int]]:
    """(command, pid) of every retailops process that names `folder` in its arguments or has a file of it open.

    This process and its parents are left out.
    """
    import psutil

    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        program = _program(words)
        if not program or process.pid in ours:
            continue
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            words.extend(file.path for file in process.open_files())
        if any(_names(word, folder) for word in words):
            found.append((program, process.pid))
    return found


def _program(words: list[str]) -> str:
    """`retailops serve` of a command line, whatever interpreter and paths stand around it; "" when it isn't ours."""
    names = [Path(word).name for word in words]
    at = next((at for at, name in enumerate(names) if name.startswith("retailops")), None)
    return " ".join(name for name in names[at : at + 2] if not name.startswith("-")) if at is not None else ""


def _changes(action: Literal["delete", "left"], folder: Path) -> list[Change]:
    return [Change(action, "process", name, f"process {pid}") for name, pid in processes_of(folder)]


def _distinct(processes: list[Change]) -> list[Change]:
    """Each process once, by the name that was found for it first."""
    return list({change.detail: change for change in reversed(processes)}.values())[::-1]


def _names(word: str, folder: Path) -> bool:
    _, found, rest = word.partition(str(folder))
    return bool(found) and (not rest or rest.startswith("/"))


def _contents(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name != MARKER)


def _kind(path: Path) -> str:
    return "folder" if path.is_dir() and not path.is_symlink() else "file"


def _remove(path: Path) -> None:
    try:
        files.remove(path)
    except OSError as error:
        raise TargetFailed(
            f"{error.filename or path} can't be removed: {error.strerror}.",
            "Get the right to remove it, or end what writes to it; then run this again: it goes on where it stopped.",
        ) from error


def _bytes(path: Path) -> str:
    amount = float(files.size(path))
    for unit in ("bytes", "KB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
