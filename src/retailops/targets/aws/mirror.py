"""Floor 4, aws: paths that name things on S3. A path below `<aws.folder>/mirror/<zone>/` is an object of that zone.

Only what was fetched, or is on its way up, really lies there. The ports speak of paths; here they become addresses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from retailops import files
from retailops.errors import NotReady, UsageError
from retailops.progress import SILENT, Progress
from retailops.targets.aws.names import ZONES
from retailops.targets.aws.receiving import receive
from retailops.targets.aws.sending import PART, Local, Sent, Upload
from retailops.targets.aws.session import Session
from retailops.targets.aws.transfers import Address, Tally, abreast, asked

PLACES = "places.json"  # of a dataset: zone → the uri where its job wrote it
_DATASETS = ("gold", "datasets")
_WRITTEN = ("silver", "gold", "quarantine")  # the zones that an ETL job writes
_FETCHED, _UPLOADS = "fetched.json", "uploads"  # beside the zones: what was fetched, and what is on its way up


@dataclass(frozen=True)
class _Object:
    """What S3 has, and the path that names it."""

    path: Path
    address: Address
    bytes: int
    tag: str


class Mirror:
    """mirror/<zone>/<rest> ⇄ s3://<bucket of zone>/<rest>, for the zones of names.ZONES."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def root(self) -> Path:
        """`<aws.folder>/mirror`, absolute."""
        return self._session.settings.folder.absolute() / "mirror"

    @cached_property
    def s3(self) -> Any:
        """One client for all threads."""
        return self._session.client("s3")

    def folder(self, zone: str, *parts: str) -> Path:
        """The path that names `<parts…>` in the bucket of `zone`. Nothing is made."""
        return self.root.joinpath(zone, *parts)

    def uri(self, path: Path) -> str:
        """`s3://<bucket of zone>/<rest>`, without a slash at the end. UsageError for a path outside of the mirror."""
        return str(self.address(path)).rstrip("/")

    def address(self, path: Path) -> Address:
        """The object that `path` names, whether it is there or not."""
        zone, *rest = self._parts(path)
        return Address(self._session.names.bucket(zone), "/".join(rest), self._session.account)

    def outputs(self, job: str) -> dict[str, str]:
        """Zone → uri where the ETL job called `job` ("etl-<key>") writes silver, gold and quarantine."""
        return {zone: self.uri(self.folder(zone, "jobs", job)) for zone in _WRITTEN}

    def places(self, path: Path) -> list[tuple[str, str]]:
        """(relative folder, s3 uri) of all prefixes that make up a folder: one, (".", uri), for most.

        A dataset folder is made of ("silver", …), ("gold", …), ("quarantine", …) wherever its job wrote them, and
        (".", …) for the manifest.
        """
        parts = self._parts(path)
        version, zone, *rest = [*parts[2:], "", ""][: max(2, len(parts) - 2)]
        # Of a dataset, the small files beside the zones are where their path says.
        if parts[:2] != _DATASETS or not version or zone not in ("", *_WRITTEN):
            return [(".", self.uri(path))]
        wrote = self._wrote(self.folder(*_DATASETS, version))
        if not zone:
            return [*wrote.items(), (".", self.uri(path))]
        return [(".", "/".join([wrote[zone], *rest]) if zone in wrote else self.uri(path))]

    def listing(self, path: Path, named: str = "*") -> list[Path]:
        """The paths of all objects that S3 has at or below `path`, asked at this moment; `named` as in a shell."""
        return [each.path for each in self._objects(path, named)]

    def exists(self, path: Path) -> bool:
        """Whether S3 has this one object."""
        return any(each.path == path for each in self._objects(path))

    def size(self, path: Path) -> int:
        """Size of all that S3 has at or below `path`."""
        return sum(each.bytes for each in self._objects(path))

    def fetch(self, path: Path, progress: Progress = SILENT, named: str = "*") -> Path:
        """Have the object, or all that is below the prefix (all places of it), on this disk; returns `path`.

        Verified, each file whole or not there; what is there already unchanged isn't fetched again. NotReady when S3
        has nothing there.
        """
        fix = "Run the step that makes it, or: retailops status"
        return self._received(path, self.uri(path), self._objects(path, named), fix, progress)

    def bring(self, uri: str, path: Path, progress: Progress) -> Path:
        """`fetch` of an object or prefix of this account that no zone holds, to a path below the mirror."""
        found = list(self._below(path, uri, self._session.account))
        gone = {each for each in path.rglob("*") if each.is_file()} - {each.path for each in found}
        for each in gone:
            each.unlink()
        return self._received(path, uri, found, "Check its name.", progress)

    def fetch_from(self, uri: str, path: Path, owner: str) -> Path:
        """`fetch` of an object or prefix that may be another account's, to a path below the mirror."""
        fix = "Its registry still names it; ask whoever removed it."
        return self._received(path, uri, list(self._below(path, uri, owner)), fix, SILENT)

    def push(
        self,
        path: Path,
        progress: Progress = SILENT,
        known: Mapping[Path, str] | None = None,
        named: str = "*",
    ) -> list[Sent]:
        """Upload a file or folder below the mirror to its uri; links are followed.

        What S3 has already with the same content isn't sent; what was cut short goes on at the part where it stopped.
        `known` holds hashes (SHA-256) of files that were read just now; the upload proves them.
        """
        self._parts(path)
        # What begins with a point is a file that a killed command was still writing.
        whole = [each for each in path.rglob(named) if each.is_file() and not each.name.startswith(".")]
        paths = sorted(whole) if path.is_dir() else [path]
        sizes = {each: each.stat().st_size for each in paths}
        progress.stage("Uploading to S3", sum(sizes.values()), "bytes")
        tally = Tally(progress)

        def send(file: Path) -> Sent:
            local = Local(file, sizes[file], (known or {}).get(file) or _sha256(file))
            return Upload(self.s3, local, self.address(file), self._record(file), tally.add).run()

        # Small files a few at a time; a large one has a few of its parts on the way, and is alone.
        sent = abreast(send, [each for each in paths if sizes[each] <= PART])
        for file in (each for each in paths if sizes[each] > PART):
            with files.lock(self._record(file).with_suffix(".lock"), f"uploading {file.name}"):
                sent.append(send(file))
        return sorted(sent, key=lambda each: each.path)

    def remove(self, paths: list[Path]) -> None:
        """Take objects away; the bucket keeps their versions for a while. Nothing there is success."""
        for path in paths:
            address = self.address(path)
            with asked(f"Removing {address}"):
                self.s3.delete_object(**address.call)

    def version(self, path: Path) -> str:
        """The version that S3 gave to the object as it is now."""
        with asked(f"Asking for {self.uri(path)}"):
            return str(self.s3.head_object(**self.address(path).call).get("VersionId", ""))

    def _record(self, path: Path) -> Path:
        """Where the id of an upload in parts is kept while it lasts."""
        return self.root / _UPLOADS / f"{hashlib.sha256(self.uri(path).encode()).hexdigest()[:16]}.json"

    def _received(self, path: Path, uri: str, found: Sequence[_Object], fix: str, progress: Progress) -> Path:
        """`path`, once all of `found` is here; NotReady when S3 has nothing."""
        if not found:
            raise NotReady(f"{uri} isn't there.", fix)
        self._have(found, progress)
        return path

    def _have(self, found: Sequence[_Object], progress: Progress) -> None:
        """Receive what isn't here yet, and remember as what."""
        known: dict[str, Any] = files.read_json(self.root / _FETCHED) or {}
        missing = [each for each in found if not _is_here(each, known.get(self._name(each.path)))]
        if not missing:
            return
        progress.stage("Fetching from S3", sum(each.bytes for each in missing), "bytes")
        tally, fresh = Tally(progress), dict[str, Any]()

        def take(each: _Object) -> None:
            receive(self.s3, each.address, each.tag, each.path, tally.add)
            fresh[self._name(each.path)] = _state(each)

        try:
            abreast(take, missing)
        finally:
            self._remember(fresh)

    def _parts(self, path: Path) -> tuple[str, ...]:
        """Zone and what follows."""
        path = path.absolute()
        inside = path.is_relative_to(self.root) and ".." not in path.parts
        parts = path.relative_to(self.root).parts if inside else ()
        if not parts or parts[0] not in ZONES:
            raise UsageError(f"{path} names nothing on S3.", f"What is on S3 has its name below {self.root}.")
        return parts

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _wrote(self, dataset: Path) -> dict[str, str]:
        places = dataset / PLACES
        found = files.read_json(self.fetch(places)) if self.exists(places) else None
        return found if isinstance(found, dict) else {}

    def _objects(self, path: Path, named: str = "*") -> list[_Object]:
        path = path.absolute()
        return [
            each
            for relative, uri in self.places(path)
            for each in self._below(path if relative == "." else path / relative, uri, self._session.account)
            if fnmatchcase(each.path.name, named)
        ]

    def _below(self, path: Path, uri: str, owner: str) -> Iterator[_Object]:
        """The object `uri`, or what is below it as a prefix."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key, ExpectedBucketOwner=owner)
        with asked(f"Listing {uri}"):
            for each in (each for page in pages for each in page.get("Contents", [])):
                below = each["Key"].removeprefix(key).removeprefix("/")
                # A folder's own marker isn't a file, and a key that would leave the mirror isn't ours.
                inside = each["Key"].startswith(f"{key}/" if key else "") and not {"", ".", ".."} & {*below.split("/")}
                if each["Key"] == key or inside:
                    address = Address(bucket, each["Key"], owner)
                    yield _Object(path / below if below else path, address, each["Size"], each["ETag"])

    def _remember(self, fresh: Mapping[str, Any]) -> None:
        if fresh:
            with files.lock(self.root / f"{_FETCHED}.lock", "noting what was fetched"):
                known = files.read_json(self.root / _FETCHED) or {}
                files.write_json(self.root / _FETCHED, {**known, **fresh})


def _is_here(each: _Object, known: object) -> bool:
    """Whether what lies here is what was fetched, and what S3 still has."""
    return each.path.is_file() and not each.path.is_symlink() and known == _state(each)


def _state(each: _Object) -> list[Any]:
    """What S3 has and what lies here, as they belong together."""
    here = each.path.stat()
    return [each.tag, each.bytes, here.st_size, here.st_mtime_ns]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
