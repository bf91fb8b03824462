"""Floor 4, local: the feature store: history as parquet, the newest records in SQLite, one live version a group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from retailops import files
from retailops.errors import NotReady, TargetFailed
from retailops.ports import Publication, Record
from retailops.progress import Progress
from retailops.retail.feature_groups import GROUPS, Group
from retailops.targets.local.history import History
from retailops.targets.local.online import PATIENCE_S, Online
from retailops.targets.local.workspace import Workspace


class LocalFeatures:
    """workspace/features/<group>/<version>/ and workspace/features/online.db, which also says what is live."""

    def __init__(self, workspace: Workspace, threads: int, memory_mb: int, patience_s: float = PATIENCE_S) -> None:
        self._workspace = workspace
        self._folder = workspace.folder / "features"
        self._history = History(self._folder, threads, memory_mb)
        self._online = Online(self._folder / "online.db", patience_s)

    def publish(self, group: Group, version: str, records: Path, progress: Progress) -> Publication:
        """Offline first: what is online can always be looked up in history too."""
        if done := self._live(group, version):
            return done
        self._workspace.claim()
        with files.lock(self._folder / "lock", f"publishing the {group.name} features"):
            progress.stage(f"publishing the {group.name} features")
            listing = self._history.write(group, version, records)
            count = self._online.switch(group, version, self._history.newest(group, version))
            if count != listing["keys"]:
                raise TargetFailed(
                    f"{count} records of {group.name} are online, but {listing['keys']} keys were written.",
                    "Run the same command again.",
                )
        _, published = self._online.live()[group.name]
        return _publication(group, version, listing, published, reused=False)

    def published(self) -> list[Publication]:
        """What online.db says is live, with the counts of its history."""
        groups = [GROUPS[name] for name in sorted(self._online.live()) if name in GROUPS]
        found = [self._live(group) for group in groups]
        return [each for each in found if each is not None]

    def online(self, group: Group, keys: Sequence[str]) -> dict[str, Record]:
        """From SQLite alone: well under a millisecond a key."""
        found = self._online.read(group, keys)
        if found is None:
            raise _unpublished(group)
        return found

    def before(
        self, group: Group, wanted: Sequence[tuple[str, datetime]], version: str | None = None
    ) -> list[Record | None]:
        """From the parquet files, in one pass for all that is wanted."""
        live = self._live(group)
        chosen = version or (live.version if live else None)
        if chosen is None or self._history.listing(group, chosen) is None:
            raise _unpublished(group, version)
        return self._history.before(group, chosen, wanted)

    def _live(self, group: Group, version: str | None = None) -> Publication | None:
        """The group's live version, if it is whole and, when one is named, that one."""
        live, published = self._online.live().get(group.name, (None, ""))
        if live is None or version not in (None, live):
            return None
        listing = self._history.listing(group, live)
        return None if listing is None else _publication(group, live, listing, published, reused=True)


def _publication(
    group: Group, version: str, listing: Mapping[str, Any], published: str, *, reused: bool
) -> Publication:
    counts = {name: listing[name] for name in ("records", "written", "rejected", "keys")}
    return Publication(group=group.name, version=version, published=published, reused=reused, **counts)


def _unpublished(group: Group, version: str | None = None) -> NotReady:
    what = f"version {version} of the {group.name} features" if version else f"no {group.name} features"
    made_by = {"dataset": "retailops features ingest", "bundle": "retailops register"}[group.made_of]
    return NotReady(f"There is no {what}." if version else f"There are {what} in the store.", f"Run first: {made_by}")
