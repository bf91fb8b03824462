"""Floor 4, aws: which edition of a feature group is live. An edition is a version, made in one way; it never changes.

All of it lies where SageMaker keeps a group's offline store, gold:features/…/offline-store/<group>-<created>/: a group
that was removed and made anew, and has no records online, knows of none.
    data/                   history, see offline
    editions/live.json      what is live, and which other editions may have records online
    editions/<edition>/     publication.json (the counts), newest.parquet, rejected.parquet
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from retailops import files
from retailops.errors import NotReady, TargetFailed
from retailops.retail.feature_groups import Group
from retailops.targets.aws.inventory.account import unless_gone
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.session import Session, code_of, translated
from retailops.targets.aws.transfers import asked

PUBLICATION, NEWEST, REJECTED = "publication.json", "newest.parquet", "rejected.parquet"


@dataclass(frozen=True)
class Live:
    """What live.json says. `tag` is S3's name of this very content: what is written over another one is refused."""

    edition: str = ""  # none yet
    version: str = ""
    published: str = ""  # ISO 8601, UTC
    others: tuple[str, ...] = ()  # editions on their way in or out, which may have records online
    tag: str = ""


def name(group: Group, version: str) -> str:
    """16 hex digits: the same version of a group that is made otherwise is another edition."""
    made = json.dumps([version, group.definition()], sort_keys=True)
    return hashlib.sha256(made.encode()).hexdigest()[:16]


def busy(group: Group) -> NotReady:
    """What is said when live.json has changed since it was read."""
    return NotReady(
        f"Another command publishes the {group.name} features at this moment.",
        "Wait for it to end, then run this again.",
    )


class Editions:
    def __init__(self, session: Session, mirror: Mirror) -> None:
        self._session = session
        self._mirror = mirror
        self._places: dict[str, Path] = {}

    def folder(self, group: Group, *parts: str) -> Path:
        """A path below editions/."""
        return self.data(group).parent.joinpath("editions", *parts)

    def data(self, group: Group) -> Path:
        """The path that names the group's history. NotReady when there is no such group; asked once."""
        if group.name not in self._places:
            self._places[group.name] = self._place(f"{self._session.names.prefix}-{group.name}")
        return self._places[group.name]

    def listing(self, group: Group, edition: str) -> dict[str, Any] | None:
        """The counts of an edition whose history is whole; None when it isn't."""
        path = self.folder(group, edition, PUBLICATION)
        if not self._mirror.exists(path):
            return None
        found = files.read_json(self._mirror.fetch(path))
        return found if isinstance(found, dict) else None

    def live(self, group: Group) -> Live:
        """As S3 has it at this moment."""
        from botocore.exceptions import ClientError

        address = self._mirror.address(self.folder(group, "live.json"))
        with asked(f"Reading {address}"):
            try:
                told = self._mirror.s3.get_object(**address.call)
            except ClientError as problem:
                if code_of(problem) != "NoSuchKey":
                    raise
                return Live()
            known = json.loads(told["Body"].read())
        return Live(known["live"], known["version"], known["published"], tuple(known["others"]), told["ETag"])

    def write(self, group: Group, now: Live) -> Live:
        """Put `now` in place of what had its tag. NotReady when another command has changed it since."""
        from botocore.exceptions import ClientError

        address = self._mirror.address(self.folder(group, "live.json"))
        known = {"live": now.edition, "others": now.others, "published": now.published, "version": now.version}
        condition = {"IfMatch": now.tag} if now.tag else {"IfNoneMatch": "*"}
        with asked(f"Writing {address}"):
            try:
                told = self._mirror.s3.put_object(**address.call, Body=json.dumps(known).encode(), **condition)
            except ClientError as problem:
                if code_of(problem) not in ("PreconditionFailed", "ConditionalRequestConflict"):
                    raise
                there = self.live(group)
                if replace(there, tag=now.tag) != now:  # else it was written, and the answer lost on its way
                    raise busy(group) from problem
                return there
        return replace(now, tag=told["ETag"])

    def _place(self, name: str) -> Path:
        found = ""
        with translated(f"Looking at the feature group {name}"), unless_gone():
            told = self._session.client("sagemaker").describe_feature_group(FeatureGroupName=name)
            found = told["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"].rstrip("/")
        if not found:
            raise NotReady(f"There is no feature group {name}.", "Build it first: retailops infra up")
        path = self._mirror.folder("gold", *found.removeprefix("s3://").split("/")[1:])
        if self._mirror.uri(path) != found:
            raise TargetFailed(
                f"The offline store of {name} lies in {found}, outside of the gold bucket.",
                "Build it anew: retailops infra up --allow-replace",
            )
        return path
