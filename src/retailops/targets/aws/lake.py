"""Floor 4, aws: the lake on S3. The user's files go up once; what the ETL made stays where its job wrote it."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from retailops import files
from retailops.errors import DataError, NotReady
from retailops.ports import Raw, Table
from retailops.progress import SILENT, Progress
from retailops.retail import originals
from retailops.retail.dataset import MANIFEST, Dataset
from retailops.retail.originals import RawFile
from retailops.retail.sources import discover
from retailops.targets.aws.athena import Athena
from retailops.targets.aws.catalog import Catalog
from retailops.targets.aws.mirror import PLACES, Mirror

LISTING = "files.json"  # of raw files: name, size, SHA-256 and S3's version of each; the last that is written
_SCHEME = "s3:"  # the first part of a path that was written s3://bucket/key
_PUBLISHED = "published.json"  # beside the manifest, not in it: when isn't part of what


class AwsLake:
    """raw:<key>/ the files, their listing; gold:datasets/<version>/ manifest, places.json, when it was published."""

    def __init__(self, mirror: Mirror, athena: Athena | None = None, catalog: Catalog | None = None) -> None:
        self._mirror = mirror
        self._athena = athena
        self._catalog = catalog

    def put(self, source: Path, progress: Progress) -> Raw:
        """Upload a file or folder. Same contents, same Raw, under the names that came first; cut short, it goes on.

        A source may be on S3, in a bucket of this account: it is read through this machine, which checks its columns.
        """
        here = self._brought(source, progress) if _SCHEME in source.parts else source.expanduser().absolute()
        # Whether the label is there is for the ETL to ask: these may be rows to predict.
        found = discover(here, labelled=False, progress=progress)
        root = self._mirror.root
        with files.lock(root / "raw.lock", f"registering {source}"):
            registered = originals.hashed(found, root / "hashes.json", progress)
            folder = self._mirror.folder("raw", originals.key([file.sha256 for file in registered]))
            listed = self._listed(folder) or self._upload(folder, registered, progress)
        return Raw(folder.name, folder, tuple(file["name"] for file in listed), sum(file["bytes"] for file in listed))

    def scratch(self) -> Path:
        """<aws.folder>/scratch, made when it isn't there."""
        folder = self._mirror.root.parent / "scratch"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def publish(self, folder: Path) -> Dataset:
        """Note in the gold zone what the job wrote, and where. Nothing is copied; the first of a version stays."""
        dataset = Dataset.open(folder)
        target = self._mirror.folder("gold", "datasets", dataset.version)
        with files.lock(self._mirror.root / "publish.lock", f"publishing {dataset.version}"):
            self._publish(folder, target)
            dataset = Dataset.open(self._mirror.fetch(target / MANIFEST).parent)
        if self._catalog:
            self._catalog.show(dataset, SILENT)
        return dataset

    def datasets(self) -> list[Dataset]:
        """All datasets by the time they were last published."""
        root = self._mirror.folder("gold", "datasets")
        there = self._mirror.listing(root)
        if there:
            self._mirror.fetch(root)
        found = [path.parent for path in there if path.name == _PUBLISHED]
        return [Dataset.open(folder) for folder in sorted(found, key=_published)]

    def ask(self, sql: str, limit: int, progress: Progress) -> Table:
        """Athena over the tables of the newest dataset, which publishing keeps current."""
        if self._athena is None:
            raise NotReady("This lake was opened without Athena.", "Open the target: targets.open_target")
        return self._athena.ask(sql, limit, progress)

    def _publish(self, folder: Path, target: Path) -> None:
        if folder.absolute() != target and not self._mirror.exists(target / PLACES):
            target.mkdir(parents=True, exist_ok=True)
            files.write_bytes(target / MANIFEST, (folder / MANIFEST).read_bytes())
            self._mirror.push(target / MANIFEST)
            files.write_json(target / PLACES, self._mirror.outputs(folder.absolute().parent.name))
            self._mirror.push(target / PLACES)
        files.write_json(target / _PUBLISHED, {"at": datetime.now(UTC).isoformat()})
        self._mirror.push(target / _PUBLISHED)

    def _brought(self, source: Path, progress: Progress) -> Path:
        """What `s3://bucket/key` names, an object or all below it; what hasn't changed isn't fetched again."""
        uri = "s3://" + "/".join(source.parts[source.parts.index(_SCHEME) + 1 :])
        name = hashlib.sha256(uri.encode()).hexdigest()[:16]
        try:
            return self._mirror.bring(uri, self._mirror.root / "brought" / name / uri.rpartition("/")[2], progress)
        except NotReady as problem:
            raise DataError(
                f"{uri}: nothing is there.", f"Look for it: aws s3 ls {uri}; a folder is named without its last /."
            ) from problem

    def _listed(self, folder: Path) -> list[dict[str, Any]]:
        """The listing of an upload that was finished, unless an object of it is gone since; then nothing."""
        there = set(self._mirror.listing(folder))
        if folder / LISTING not in there:
            return []
        listed = json.loads(self._mirror.fetch(folder / LISTING).read_bytes())["files"]
        return listed if {folder / file["name"] for file in listed} <= there else []

    def _upload(self, folder: Path, registered: list[RawFile], progress: Progress) -> list[dict[str, Any]]:
        files.remove(folder, first=[LISTING])
        folder.mkdir(parents=True)
        originals.link(folder, registered)
        known = {folder / file.name: file.sha256 for file in registered}
        # What an upload that never came to its end left under other names would be read twice.
        self._mirror.remove([path for path in self._mirror.listing(folder) if path not in known])
        sent = {each.path: each for each in self._mirror.push(folder, progress, known)}
        listed = [
            {"bytes": file.bytes, "name": file.name, "sha256": file.sha256, "version": sent[folder / file.name].version}
            for file in registered
        ]
        files.write_json(folder / LISTING, {"files": listed, "key": folder.name})
        self._mirror.push(folder / LISTING)
        return listed


def _published(folder: Path) -> tuple[str, str]:
    return json.loads((folder / _PUBLISHED).read_bytes())["at"], folder.name
