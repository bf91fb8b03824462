"""Floor 4, local: what this machine must have."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from retailops.config import Config
from retailops.errors import RetailOpsError
from retailops.ports import Finding
from retailops.progress import Progress
from retailops.targets.local import cluster_doctor, processes
from retailops.targets.local.endpoint import Record
from retailops.targets.local.workspace import Workspace
from retailops.tools import libraries, programs

_OLDEST = (3, 11)
# Measured: a workspace after a whole run holds 1.1 times its input; the rest is room for queries that spill.
_SPACE = 2.0
_SPACE_AT_LEAST_MB = 300
_BASKET_BYTES = 1400  # of a synthetic basket, as CSV
_BESIDE_SQL_MB = 300  # Python and its libraries, next to the SQL engine's own limit
_CGROUP = Path("/sys/fs/cgroup")  # where a container's limits stand


class LocalDoctor:
    """Python, input, workspace, disk, memory, port, a cluster where one is wanted, libraries."""

    def __init__(self, workspace: Workspace, config: Config) -> None:
        self._workspace = workspace
        self._config = config

    def findings(self, progress: Progress) -> Iterator[Finding]:
        """What is told at once first; loading every library takes some seconds and comes last."""
        progress.stage("looking at this machine")
        yield self._python()
        yield self._input()
        yield self._folder()
        yield self._disk()
        yield self._memory()
        yield self._port()
        yield from cluster_doctor.findings(self._config)
        progress.stage("loading the libraries")
        yield self._libraries()
        docker = programs.version("docker", "--version")
        missing = Finding("docker", "skipped", "isn't installed; only image build needs it")
        yield missing if docker is None else Finding("docker", "ok", docker or "is there")

    def policy(self) -> Mapping[str, Any]:
        return {}

    def _python(self) -> Finding:
        what = f"Python {platform.python_version()} ({sys.executable})"
        if sys.version_info[:2] < _OLDEST:
            return Finding("python", "failed", what, "Install retailops with Python 3.11 or newer.")
        return Finding("python", "ok", what)

    def _input(self) -> Finding:
        path = self._config.data.input
        if path is None:
            return Finding("input", "ok", f"synthetic, {self._config.data.synthetic.baskets:,} baskets")
        if not path.exists():
            return Finding("input", "failed", f"{path} isn't there", "Correct data.input in retail.yaml.")
        if not os.access(path, os.R_OK):
            return Finding("input", "failed", f"{path} can't be read", f"Give yourself the right to read {path}.")
        return Finding("input", "ok", f"{path}, {self._input_mb():,.1f} MB")

    def _folder(self) -> Finding:
        folder = self._workspace.folder
        try:
            stands = self._workspace.owned()
        except RetailOpsError as problem:
            return Finding("workspace", "failed", problem.what, problem.fix)
        place = _existing(folder)
        if not os.access(place, os.W_OK | os.X_OK):
            fix = "Set local.workspace to a folder that you may write to."
            return Finding("workspace", "failed", f"{place} can't be written to", fix)
        return Finding("workspace", "ok", f"{folder} {'stands' if stands else 'can be made'}")

    def _disk(self) -> Finding:
        free = shutil.disk_usage(_existing(self._workspace.folder)).free / 1e6
        wanted = _SPACE_AT_LEAST_MB + _SPACE * self._input_mb()
        what = f"{free:,.0f} MB free, about {wanted:,.0f} MB wanted for this input"
        if free < wanted:
            return Finding("disk", "failed", what, "Free some space, or set local.workspace to another disk.")
        return Finding("disk", "ok", what)

    def _memory(self) -> Finding:
        free = available_mb()
        wanted = self._config.etl.memory_mb + _BESIDE_SQL_MB
        what = f"{free:,.0f} MB free, {wanted:,} MB wanted (etl.memory_mb and {_BESIDE_SQL_MB} MB beside it)"
        if free < wanted:
            return Finding("memory", "warning", what, "Set etl.memory_mb lower, or end other programs.")
        return Finding("memory", "ok", what)

    def _port(self) -> Finding:
        host, port = self._config.deploy.host, self._config.deploy.port
        live = Record.read(self._workspace.folder / "serving")
        if live and (live.host, live.port) == (host, port) and live.alive:
            return Finding("port", "ok", f"{port} on {host} is held by our own server, version {live.version}")
        try:
            processes.bind(host, port).close()
        except RetailOpsError as problem:
            return Finding("port", "failed", problem.what, problem.fix)
        return Finding("port", "ok", f"{port} on {host} is free")

    def _libraries(self) -> Finding:
        found = libraries.libraries()
        wrong = [each for each in found if each.fault]
        if not found:
            return Finding("libraries", "skipped", "retailops isn't installed as a package: nobody knows what it needs")
        if wrong:
            what = "\n".join(f"{each.name} {each.fault}" for each in wrong)
            return Finding("libraries", "failed", what, "pip install --upgrade retailops")
        return Finding("libraries", "ok", f"{len(found)}, in wanted versions, all load")

    def _input_mb(self) -> float:
        path = self._config.data.input
        if path is None:
            return self._config.data.synthetic.baskets * _BASKET_BYTES / 1e6
        files = [path] if path.is_file() else path.rglob("*")
        return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def available_mb(cgroup: Path = _CGROUP) -> float:
    """Memory that can still be had: the machine's, or what a container's limit leaves of it."""
    machine = psutil.virtual_memory().available / 1e6
    try:
        limit, used = ((cgroup / name).read_text().strip() for name in ("memory.max", "memory.current"))
        stat = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
        cache = int(stat.get("inactive_file", 0))  # counted as used, and given back when it is wanted
        return machine if limit == "max" else min(machine, (int(limit) - int(used) + cache) / 1e6)
    except (OSError, ValueError):
        return machine


def _existing(path: Path) -> Path:
    """The folder itself, or the nearest above it that is there."""
    return next(each for each in (path, *path.parents) if each.exists())
