"""Floor 4, aws: runs as objects of the models bucket, versions as packages of SageMaker's model registry."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from retailops import files
from retailops.errors import TargetFailed, UsageError
from retailops.ports import Approval, ModelVersion, Run
from retailops.retail import originals
from retailops.retail.bundle import MANIFEST, Bundle
from retailops.retail.dataset import MANIFEST as DATASET
from retailops.targets.aws.lake import LISTING
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.packages import BUNDLE, PENDING, Package, Packages

_RUN, _METRICS = "run.json", "metrics.json"
_BY, _AT = "decided_by", "decided_at"
_STATUS: Mapping[Literal["pending", "approved", "rejected"], str] = {
    "pending": PENDING,
    "approved": "Approved",
    "rejected": "Rejected",
}


class AwsModels:
    """models:bundles/<hash>/ each bundle once; models:runs/<id of bundle and data>/run.json; a package a version."""

    def __init__(self, mirror: Mirror, packages: Packages) -> None:
        self._mirror = mirror
        self._packages = packages

    def record(self, run: Run) -> Run:
        """Upload the bundle and note the run. TargetFailed when the bundle isn't whole; nothing is noted then."""
        with files.lock(self._mirror.root / "models.lock", f"recording the run {run.id}"):
            return self._note(run)

    def runs(self) -> list[Run]:
        """All runs in the order in which they were recorded. Their bundles stay on S3."""
        root = self._mirror.folder("models", "runs")
        there = self._mirror.listing(root)
        if there:
            self._mirror.fetch(root)
        noted = [files.read_json(path) for path in there if path.name == _RUN]
        return [self._run(each) for each in sorted(noted, key=lambda each: (each["recorded"], each["id"]))]

    def add(self, run: Run) -> ModelVersion:
        """A package for the run's bundle; a run that wasn't recorded yet is."""
        self._packages.require_ours()
        with files.lock(self._mirror.root / "models.lock", f"registering the run {run.id}"):
            noted = self._note(run)
            known = self._packaged(noted.bundle_hash)
            if known is None:
                metrics = self._path(noted).with_name(_METRICS)
                files.write_json(metrics, _metrics(noted.scorecard))
                self._mirror.push(metrics)
                self._packages.add(self._facts(noted), self._mirror.uri(noted.bundle), self._mirror.uri(metrics))
                known = self._packaged(noted.bundle_hash)
            if known is None:
                raise TargetFailed(
                    f"SageMaker took the model of run {noted.id} and doesn't list it.", "Run this again in a minute."
                )
        return self._version(known)

    def versions(self) -> list[ModelVersion]:
        """All versions, ascending, their bundles on this disk."""
        return [self._version(package) for package in self._packages.all()]

    def decide(self, version: int, approval: Approval) -> ModelVersion:
        """Note the decision with the package; SageMaker's own pages show it, and may be where the next one is made."""
        self._packages.require_ours()
        package = next((each for each in self._packages.all() if each.version == version), None)
        if package is None:
            raise UsageError(f"There is no version {version}.", "List the versions: retailops models list")
        known = _approval(package)
        if (known.status, known.reason) != (approval.status, approval.reason):
            decided = {_BY: _plain(approval.by), _AT: approval.at}
            self._packages.decide(
                package, _STATUS[approval.status], approval.reason, {key: fact for key, fact in decided.items() if fact}
            )
        return self.versions()[[each.version for each in self._packages.all()].index(version)]

    def _packaged(self, bundle: str) -> Package | None:
        return next((each for each in self._packages.all() if each.facts[BUNDLE] == bundle), None)

    def _note(self, run: Run) -> Run:
        """The run as S3 knows it, added if it didn't."""
        if Bundle.open(run.bundle).hash != run.bundle_hash:
            raise TargetFailed(
                f"The bundle {run.bundle} isn't the one that run {run.id} made: its hash isn't {run.bundle_hash}.",
                "Train again: retailops train",
            )
        bundle = self._bundle(run.bundle_hash)
        if not _is_whole(bundle, run.bundle_hash):
            files.remove(bundle, first=[MANIFEST])
            shutil.copytree(run.bundle, bundle)
        self._mirror.push(bundle)
        path = self._path(run)
        if not self._mirror.exists(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write_json(path, {**asdict(run), "bundle": "", "recorded": datetime.now(UTC).isoformat()})
            self._mirror.push(path)
        return self._run(files.read_json(self._mirror.fetch(path)))

    def _version(self, package: Package) -> ModelVersion:
        """From a package back to its run, with the bundle proved; from S3 what isn't here."""
        facts, owner = package.facts, self._packages.owner
        bundle = self._bundle(facts[BUNDLE])
        if not _is_whole(bundle, facts[BUNDLE]):
            self._mirror.fetch_from(facts["bundle_uri"], bundle, owner)
            Bundle.open(bundle)
        path = self._mirror.folder("models", "runs", facts["run_uri"].split("/")[-2], _RUN)
        self._mirror.fetch_from(facts["run_uri"], path, owner)
        return ModelVersion(package.version, self._run(files.read_json(path)), _approval(package))

    def _facts(self, run: Run) -> dict[str, str]:
        """What a package tells of where it is from: at most 50 facts of 256 plain characters, SageMaker's limit."""
        numbers = {name: value for name, value in run.scorecard.items() if isinstance(value, int | float)}
        return {
            "algorithm": run.algorithm,
            BUNDLE: run.bundle_hash,
            "bundle_uri": self._mirror.uri(run.bundle),
            "created": run.created,
            "dataset": run.dataset,
            "run": run.id,
            "run_uri": self._mirror.uri(self._path(run)),
            **{f"metric.{name}": str(value) for name, value in sorted(numbers.items())[:30]},
            **self._raw(run.dataset),
        }

    def _raw(self, dataset: str) -> dict[str, str]:
        """The raw files that a dataset was made of: their key, and the listing with S3's version of each."""
        manifest = self._mirror.folder("gold", "datasets", dataset, DATASET)
        if not self._mirror.exists(manifest):
            return {}
        inputs = files.read_json(self._mirror.fetch(manifest))["inputs"]
        key = originals.key([each["sha256"] for each in inputs])
        listing = self._mirror.folder("raw", key, LISTING)
        if not self._mirror.exists(listing):
            return {"raw": key}
        return {"raw": key, "raw_uri": self._mirror.uri(listing), "raw_version": self._mirror.version(listing)}

    def _bundle(self, hash: str) -> Path:
        return self._mirror.folder("models", "bundles", hash)

    def _path(self, run: Run) -> Path:
        """The same bundle of the same dataset is one run."""
        identity = hashlib.sha256(f"{run.bundle_hash} {run.dataset}".encode()).hexdigest()[:16]
        return self._mirror.folder("models", "runs", identity, _RUN)

    def _run(self, noted: Mapping[str, Any]) -> Run:
        fields = {name: value for name, value in noted.items() if name != "recorded"}
        return Run(**{**fields, "bundle": self._bundle(noted["bundle_hash"])})


def _metrics(scorecard: Mapping[str, Any]) -> dict[str, Any]:
    """As SageMaker Studio shows them."""
    numbers = {name: {"value": value} for name, value in scorecard.items() if isinstance(value, int | float)}
    return {"multiclass_classification_metrics": numbers}


def _approval(package: Package) -> Approval:
    """What SageMaker tells; by whom and when only where it was decided with retailops."""
    ours = {theirs: status for status, theirs in _STATUS.items()}
    return Approval(
        ours.get(package.approval, "pending"), package.facts.get(_BY, ""), package.facts.get(_AT, ""), package.reason
    )


def _plain(text: str) -> str:
    """In the characters that a fact may have."""
    return re.sub(r"[^\w\s.:/=+\-@]", "-", text)[:256]


def _is_whole(folder: Path, hash: str) -> bool:
    try:
        return Bundle.open(folder).hash == hash
    except TargetFailed:
        return False
