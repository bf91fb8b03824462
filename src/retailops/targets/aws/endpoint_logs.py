"""Floor 4, aws: what the servers behind an endpoint say, from CloudWatch: one stream a machine, told in one order."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from retailops.errors import NotReady
from retailops.targets.aws.inventory.account import unless_gone
from retailops.targets.aws.keys import key_arn
from retailops.targets.aws.session import Session, is_throttled, translated
from retailops.targets.aws.waiting import LOOK_S

_STREAMS = 20  # machines whose last lines are looked at, the newest first


class EndpointLogs:
    def __init__(self, session: Session, endpoint: str, look_s: float = LOOK_S) -> None:
        self._session = session
        self._look_s = look_s
        self.group = f"/aws/sagemaker/Endpoints/{endpoint}"

    def prepare(self) -> None:
        """The group before SageMaker makes it itself, for ever and without our key. There already: nothing is done."""
        if self._logs.describe_log_groups(logGroupNamePrefix=self.group)["logGroups"]:
            return
        with suppress(self._logs.exceptions.ResourceAlreadyExistsException):
            self._logs.create_log_group(
                logGroupName=self.group, kmsKeyId=key_arn(self._session, "platform"), tags=self._session.tags
            )
        self._logs.put_retention_policy(logGroupName=self.group, retentionInDays=self._session.settings.log_days)

    def tail(self, lines: int, follow: bool) -> Iterator[str]:
        """The last lines of all machines; with `follow`, further ones as they come. NotReady when nobody said any."""
        with translated(f"Reading {self.group}"):
            streams = self._streams()
        if not streams:
            raise NotReady("The endpoint has said nothing yet.", "Put a version live: retailops deploy")
        with translated(f"Reading {self.group}"):
            events = self._last(streams, lines)
        yield from (text for _, text in events)
        if follow:
            yield from self._further(events[-1][0] + 1 if events else int(time.time() * 1000))

    def since(self, began: datetime, lines: int) -> list[str]:
        """The last lines of machines that started after `began`."""
        after = began.astimezone(UTC).timestamp() * 1000
        streams = [each for each in self._streams() if each["creationTime"] >= int(after)]
        return [text for _, text in self._last(streams, lines)]

    def _streams(self) -> list[dict[str, Any]]:
        with unless_gone():
            found: list[dict[str, Any]] = self._logs.describe_log_streams(
                logGroupName=self.group, orderBy="LastEventTime", descending=True, limit=_STREAMS
            )["logStreams"]
            return found
        return []

    def _last(self, streams: list[dict[str, Any]], lines: int) -> list[tuple[int, str]]:
        """(milliseconds since 1970, text), in the order of time."""
        events = []
        for stream in streams if lines else []:
            told = self._logs.get_log_events(
                logGroupName=self.group, logStreamName=stream["logStreamName"], limit=lines, startFromHead=False
            )
            events += [(each["timestamp"], each["message"].rstrip("\n")) for each in told["events"]]
        return sorted(events, key=lambda each: each[0])[-lines:] if lines else []

    def _further(self, since: int) -> Iterator[str]:
        """All that comes from then on. CloudWatch tells late and out of order, so what was told is remembered."""
        from botocore.exceptions import ClientError

        told: set[str] = set()
        while True:
            with translated(f"Reading {self.group}"):
                try:
                    pages = self._logs.get_paginator("filter_log_events").paginate(
                        logGroupName=self.group, startTime=since
                    )
                    fresh = [each for page in pages for each in page["events"] if each["eventId"] not in told]
                except ClientError as problem:
                    if not is_throttled(problem):
                        raise
                    fresh = []
            told |= {each["eventId"] for each in fresh}
            yield from (each["message"].rstrip("\n") for each in fresh)
            time.sleep(self._look_s)

    @cached_property
    def _logs(self) -> Any:
        return self._session.client("logs")
