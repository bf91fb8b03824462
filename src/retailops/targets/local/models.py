"""Floor 4, local: training runs and registered versions.

models/index.json is the truth: one small file, written whole or not at all, read without MLflow (whose import takes
over a second, too long for `status`). MLflow's database is a mirror of it for people and their tools; what it lacks,
because a command was killed between the two or someone removed it, is added the next time something is recorded.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from retailops import files
from retailops.errors import TargetFailed, UsageError
from retailops.ports import PENDING, Approval, ModelVersion, Run
from retailops.retail.bundle import MANIFEST, Bundle
from retailops.targets.local.tracking import Mirror
from retailops.targets.local.workspace import Workspace

_EMPTY: dict[str, Any] = {"mirrored": {"approvals": {}, "runs": [], "versions": []}, "runs": [], "versions": []}


class LocalModels:
    """workspace/models/<bundle hash>/ holds each bundle once; index.json the runs and versions that name them."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._models = workspace.folder / "models"
        self._index = self._models / "index.json"

    def record(self, run: Run) -> Run:
        """Copy the bundle in and note the run. TargetFailed when the bundle isn't whole; nothing is noted then."""
        self._workspace.claim()
        with files.lock(self._models / "lock", f"recording the run {run.id}"):
            index = self._read()
            noted = self._note(index, run)
            self._mirror(index)
        return noted

    def runs(self) -> list[Run]:
        """All runs in the order in which they were recorded."""
        return [self._run(entry) for entry in self._read()["runs"]]

    def add(self, run: Run) -> ModelVersion:
        """The next version number for the run's bundle; a run that wasn't recorded yet is."""
        self._workspace.claim()
        with files.lock(self._models / "lock", f"registering the run {run.id}"):
            index = self._read()
            noted = self._note(index, run)
            version = _version_of(index, noted.bundle_hash)
            if version is None:
                version = 1 + max((entry["version"] for entry in index["versions"]), default=0)
                index["versions"].append({"run": noted.id, "version": version})
                files.write_json(self._index, index)
            self._mirror(index)
        return self.versions()[version - 1]

    def versions(self) -> list[ModelVersion]:
        """All versions, ascending from 1."""
        index = self._read()
        runs = {entry["id"]: entry for entry in index["runs"]}
        return [
            ModelVersion(entry["version"], self._run(runs[entry["run"]]), _approval(entry))
            for entry in index["versions"]
        ]

    def decide(self, version: int, approval: Approval) -> ModelVersion:
        """Note the decision beside the version, and mirror it."""
        self._workspace.claim()
        with files.lock(self._models / "lock", f"deciding about version {version}"):
            index = self._read()
            entry = next((each for each in index["versions"] if each["version"] == version), None)
            if entry is None:
                raise UsageError(f"There is no version {version}.", "List the versions: retailops models list")
            known = _approval(entry)
            if (known.status, known.reason) != (approval.status, approval.reason):
                entry["approval"] = asdict(approval)
                files.write_json(self._index, index)
            self._mirror(index)
        return self.versions()[version - 1]

    def _note(self, index: dict[str, Any], run: Run) -> Run:
        """The run as the index knows it, added if it didn't."""
        self._keep(run)
        for entry in index["runs"]:
            if (entry["bundle_hash"], entry["dataset"]) == (run.bundle_hash, run.dataset):
                return self._run(entry)
        entry = {
            "algorithm": run.algorithm,
            "bundle_hash": run.bundle_hash,
            "created": run.created,
            "dataset": run.dataset,
            "id": run.id,
            "parameters": dict(run.parameters),
            "scorecard": dict(run.scorecard),
            "tuned_by": run.tuned_by,
        }
        index["runs"].append(entry)
        files.write_json(self._index, index)
        return self._run(entry)

    def _keep(self, run: Run) -> None:
        """Have the bundle in our own folder, whole; a copy of ours that was damaged since is replaced."""
        target = self._models / run.bundle_hash
        if Bundle.open(run.bundle).hash != run.bundle_hash:
            raise TargetFailed(
                f"The bundle {run.bundle} isn't the one that run {run.id} made: its hash isn't {run.bundle_hash}.",
                "Train again: retailops train",
            )
        if run.bundle.resolve() == target.resolve() or _is_whole(target):
            return
        files.remove(target, first=[MANIFEST])
        unfinished = self._models / f".{run.bundle_hash}.unfinished"
        files.remove(unfinished)
        shutil.copytree(run.bundle, unfinished)
        files.move(unfinished, target)

    def _mirror(self, index: dict[str, Any]) -> None:
        mirror = Mirror(self._workspace.folder, self._workspace.project)
        done = index["mirrored"] if mirror.exists() else _EMPTY["mirrored"]
        runs = [self._run(entry) for entry in index["runs"]]
        versions = {entry["version"]: entry["run"] for entry in index["versions"]}
        decided = {str(entry["version"]): entry["approval"] for entry in index["versions"] if "approval" in entry}
        wanted = {"approvals": decided, "runs": [run.id for run in runs], "versions": list(versions)}
        if done == wanted:
            return
        told = done.get("approvals", {})
        mirror.add(
            [run for run in runs if run.id not in done["runs"]],
            {version: run for version, run in versions.items() if version not in done["versions"]},
            {int(version): Approval(**each) for version, each in decided.items() if told.get(version) != each},
        )
        files.write_json(self._index, index | {"mirrored": wanted})

    def _read(self) -> dict[str, Any]:
        if not self._index.exists():
            return {name: value.copy() for name, value in _EMPTY.items()}
        index = files.read_json(self._index)
        if not isinstance(index, dict) or not _EMPTY.keys() <= index.keys():
            raise TargetFailed(
                f"The list of runs and versions is damaged: {self._index}",
                "Restore the file from a backup, or start over with: retailops teardown",
            )
        return index

    def _run(self, entry: Mapping[str, Any]) -> Run:
        return Run(
            id=entry["id"],
            algorithm=entry["algorithm"],
            dataset=entry["dataset"],
            bundle=self._models / entry["bundle_hash"],
            bundle_hash=entry["bundle_hash"],
            created=entry["created"],
            parameters=entry["parameters"],
            scorecard=entry["scorecard"],
            tuned_by=entry.get("tuned_by", ""),
        )


def _approval(entry: Mapping[str, Any]) -> Approval:
    return Approval(**entry["approval"]) if "approval" in entry else PENDING


def _version_of(index: Mapping[str, Any], bundle_hash: str) -> int | None:
    holders = {entry["id"] for entry in index["runs"] if entry["bundle_hash"] == bundle_hash}
    return next((int(entry["version"]) for entry in index["versions"] if entry["run"] in holders), None)


def _is_whole(folder: Path) -> bool:
    try:
        Bundle.open(folder)
    except TargetFailed:
        return False
    return True
