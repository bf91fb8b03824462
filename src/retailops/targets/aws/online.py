"""Floor 4, aws: the online side of SageMaker Feature Store: the newest record of each key, in editions side by side.

A record is called <edition>/<key>. SageMaker has one record a name and no transaction, and drops one with an earlier
event time than its predecessor's without a word: under one name an edition could neither appear at once nor come back.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, TypeVar

from retailops.errors import TargetFailed
from retailops.ports import Record
from retailops.progress import Progress
from retailops.retail.feature_groups import EVENT_TIME, Group, Type, Value
from retailops.targets.aws.offline import RECORD, VERSION
from retailops.targets.aws.session import Session, is_throttled, translated
from retailops.targets.aws.transfers import Tally, abreast

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)  # seconds between rounds, beyond what the SDK tries by itself
_THREADS = 8
_AT_ONCE = 100  # keys in one BatchGetRecord
_READERS: dict[Type, Callable[[str], Value]] = {"String": str, "Integral": int, "Fractional": float}
_Item = TypeVar("_Item")


class Online:
    """Calls go out a few at a time; what is refused for the moment is asked again in rounds, after longer pauses."""

    def __init__(self, session: Session, pauses: Sequence[float] = PAUSES) -> None:
        self._session = session
        self.pauses = pauses

    def put(self, group: Group, edition: str, version: str, rows: Sequence[Sequence[Value]], progress: Progress) -> int:
        """Write these records (the group's columns, event times as text); how many of them can be read back."""
        progress.stage(f"Publishing the {group.name} features online", len(rows), "records")
        tally = Tally(progress)

        def put(row: Sequence[Value]) -> None:
            self._runtime.put_record(
                FeatureGroupName=self._name(group),
                Record=_record(group, edition, version, row),
                TargetStores=["OnlineStore"],  # history is there already
            )
            tally.add(1)

        with translated(f"Putting records into {self._name(group)}"):
            self._all(put, rows, "put")
        return len(self.read(group, edition, [str(row[0]) for row in rows]))

    def read(self, group: Group, edition: str, keys: Iterable[str]) -> dict[str, Record]:
        """The records of these keys, as far as they are there."""
        wanted = list(dict.fromkeys(keys))
        found: dict[str, Record] = {}

        def ask(some: Sequence[str]) -> None:
            names = [f"{edition}/{key}" for key in some]
            told = self._runtime.batch_get_record(
                Identifiers=[{"FeatureGroupName": self._name(group), "RecordIdentifiersValueAsString": names}]
            )
            if told["Errors"] or told["UnprocessedIdentifiers"]:
                raise _Unread(str([*told["Errors"], *told["UnprocessedIdentifiers"]][0]))
            for each in told["Records"]:
                record = _read(group, each["Record"])
                found[record.key] = record

        with translated(f"Reading records of {self._name(group)}"):
            self._all(ask, [wanted[at : at + _AT_ONCE] for at in range(0, len(wanted), _AT_ONCE)], "read")
        return found

    def remove(self, group: Group, edition: str, keys: Sequence[str]) -> None:
        """Take the records of an edition away, without a mark. Nothing there is success."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

        def remove(key: str) -> None:
            self._runtime.delete_record(
                FeatureGroupName=self._name(group),
                RecordIdentifierValueAsString=f"{edition}/{key}",
                EventTime=now,
                TargetStores=["OnlineStore"],
                DeletionMode="HardDelete",
            )

        with translated(f"Removing records of {self._name(group)}"):
            self._all(remove, keys, "removed")

    def _name(self, group: Group) -> str:
        return f"{self._session.names.prefix}-{group.name}"

    def _all(self, work: Callable[[_Item], None], items: Sequence[_Item], done: str) -> None:
        """Do all items, in rounds. What no later round would mend is raised at once."""
        for pause in (*self.pauses, None):
            problems = [each for each in abreast(_tried(work), items, _THREADS) if each]
            if not problems:
                return
            items = [item for item, _ in problems]
            if pause is None:
                raise TargetFailed(
                    f"SageMaker Feature Store keeps refusing: {len(items)} calls aren't {done}: {problems[0][1]}",
                    "Run this again in a minute: it goes on where it stopped.",
                )
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - so that two commands don't keep step

    @cached_property
    def _runtime(self) -> Any:
        return self._session.client("sagemaker-featurestore-runtime")


class _Unread(Exception):
    """A part of a batch wasn't answered."""


def _tried(work: Callable[[_Item], None]) -> Callable[[_Item], tuple[_Item, Exception] | None]:
    """The same work, which gives back what is worth another try, and why."""
    from botocore.exceptions import ClientError, HTTPClientError

    def tried(item: _Item) -> tuple[_Item, Exception] | None:
        try:
            work(item)
        except (HTTPClientError, _Unread) as problem:
            return item, problem
        except ClientError as problem:
            status = problem.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if not is_throttled(problem) and status < 500:
                raise
            return item, problem
        return None

    return tried


def _record(group: Group, edition: str, version: str, row: Sequence[Value]) -> list[dict[str, str]]:
    """A feature that isn't known is left out: SageMaker has no NULL."""
    values = {RECORD: f"{edition}/{row[0]}", VERSION: version, **dict(zip(group.columns, row, strict=True))}
    return [
        {"FeatureName": name, "ValueAsString": repr(value) if isinstance(value, float) else str(value)}
        for name, value in values.items()
        if value is not None
    ]


def _read(group: Group, record: Sequence[dict[str, str]]) -> Record:
    values = {each["FeatureName"]: each["ValueAsString"] for each in record}
    features = {
        name: _READERS[type_](values[name]) if name in values else None for name, type_ in group.features.items()
    }
    return Record(values[group.key], datetime.fromisoformat(values[EVENT_TIME]), features)
