"""Floor 4, aws: the feature store on SageMaker Feature Store: history on S3, newest records online."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from retailops import files
from retailops.errors import NotReady, RetailOpsError, TargetFailed
from retailops.ports import Publication, Record
from retailops.progress import Progress
from retailops.retail.feature_groups import GROUPS, Group
from retailops.targets.aws import editions
from retailops.targets.aws.editions import Editions, Live
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.offline import Offline
from retailops.targets.aws.online import Online
from retailops.targets.aws.session import Session

_AT_ONCE = 500  # records removed between two looks at who publishes
_LOOKS = 5  # at what is live, until it stays the same for as long as a read takes


class AwsFeatures:
    """The groups that Terraform made, `<prefix>-product|store|customer`. See editions, offline and online."""

    def __init__(self, session: Session, mirror: Mirror, threads: int, memory_mb: int) -> None:
        self._mirror = mirror
        self._editions = Editions(session, mirror)
        self._offline = Offline(self._editions, mirror, threads, memory_mb)
        self._online = Online(session)

    def publish(self, group: Group, version: str, records: Path, progress: Progress) -> Publication:
        """Offline first, then online beside the live edition; one small object makes it live, and the old one goes.

        Killed, and run again: what S3 and the store have is kept. When two commands publish at once, one says so.
        """
        if done := self._live(group, version):
            return done
        edition = editions.name(group, version)
        with files.lock(self._mirror.root / "features.lock", f"publishing the {group.name} features"):
            progress.stage(f"Publishing the {group.name} features")
            listing = self._offline.write(group, edition, version, records, progress)
            live = self._editions.live(group)
            # Before its first record is online: whoever publishes next knows what to take away.
            coming = replace(live, others=tuple(dict.fromkeys([*live.others, edition])))
            live = self._editions.write(group, coming)
            count = self._online.put(group, edition, version, self._offline.newest(group, edition), progress)
            if count != listing["keys"]:
                raise self._lost(group, live, count, listing["keys"])
            live = self._editions.write(group, _switched(live, edition, version))
            self._retire(group, live, progress)
        return Publication(group=group.name, version=version, published=live.published, reused=False, **listing)

    def published(self) -> list[Publication]:
        """What S3 says is live, with the counts of its history; of a group that doesn't stand, nothing."""
        found: list[Publication] = []
        for name in sorted(GROUPS):
            with suppress(NotReady):
                found += filter(None, [self._live(GROUPS[name])])
        return found

    def online(self, group: Group, keys: Sequence[str]) -> dict[str, Record]:
        """All of one edition: a key that is missing is believed only while the same edition is live."""
        live = self._editions.live(group)
        for _ in range(_LOOKS):
            if not live.edition:
                raise _unpublished(group)
            found = self._online.read(group, live.edition, keys)
            before, live = live, self._editions.live(group) if len(found) < len(set(keys)) else live
            if live == before:
                return found
        raise TargetFailed(
            f"The {group.name} features are published anew over and over.", "Run this again once that has ended."
        )

    def before(
        self, group: Group, wanted: Sequence[tuple[str, datetime]], version: str | None = None
    ) -> list[Record | None]:
        """From the parquet objects of the edition, fetched once, in one pass for all that is wanted."""
        edition = editions.name(group, version) if version else self._editions.live(group).edition
        if not edition or self._editions.listing(group, edition) is None:
            raise _unpublished(group, version)
        return self._offline.before(group, edition, wanted)

    def _live(self, group: Group, version: str | None = None) -> Publication | None:
        """The group's live version, if it is made as it would be now and, when one is named, that one."""
        live = self._editions.live(group)
        named = version or live.version
        if not live.edition or live.edition != editions.name(group, named):
            return None
        listing = self._editions.listing(group, live.edition)
        if listing is None:
            return None
        return Publication(group=group.name, version=live.version, published=live.published, **listing)

    def _lost(self, group: Group, live: Live, count: int, wanted: int) -> RetailOpsError:
        """Why fewer records can be read back than were put."""
        if self._editions.live(group) != live:
            return editions.busy(group)
        return TargetFailed(
            f"{count} records of {group.name} are online, but {wanted} keys were written.",
            "Run the same command again.",
        )

    def _retire(self, group: Group, live: Live, progress: Progress) -> None:
        """Take the records of other editions off the online store; what fails is left to the next publication."""
        try:
            for other in live.others:
                keys = [str(row[0]) for row in self._offline.newest(group, other)]
                for at in range(0, len(keys), _AT_ONCE):
                    if self._editions.live(group) != live:
                        return  # somebody publishes, perhaps this very edition again
                    self._online.remove(group, other, keys[at : at + _AT_ONCE])
            self._editions.write(group, replace(live, others=()))
        except RetailOpsError as problem:
            progress.note(f"Records of older {group.name} features stay online until the next time: {problem.what}")


def _switched(live: Live, edition: str, version: str) -> Live:
    others = dict.fromkeys([*live.others, live.edition])
    kept = tuple(each for each in others if each not in ("", edition))
    return replace(
        live, edition=edition, version=version, published=datetime.now(UTC).isoformat(timespec="seconds"), others=kept
    )


def _unpublished(group: Group, version: str | None = None) -> NotReady:
    what = f"version {version} of the {group.name} features" if version else f"no {group.name} features"
    made_by = {"dataset": "retailops features ingest", "bundle": "retailops register"}[group.made_of]
    return NotReady(f"There is no {what}." if version else f"There are {what} in the store.", f"Run first: {made_by}")
