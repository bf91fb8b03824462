"""Floor 4, aws: what a job says, from CloudWatch: events become progress, the rest is kept in a log on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from retailops import events
from retailops.errors import RetailOpsError
from retailops.progress import Progress
from retailops.targets.aws.inventory.account import unless_gone
from retailops.targets.aws.session import is_throttled

_KEPT = 400  # lines of the log that the search for last words goes through


class JobLogs:
    """The streams of one job, read from their beginning and each line once; an interrupted job begins a new stream."""

    def __init__(self, client: Any, group: str, job: str, log: Path) -> None:
        self._client = client
        self._group = group
        self.job = job
        self.log = log
        self._tokens: dict[str, str | None] = {}
        self._tail: list[str] = []
        self.error: RetailOpsError | None = None  # what the job reported, if it did
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")

    def pass_on(self, progress: Progress) -> None:
        """Tell all that is new. Nothing yet, or too many calls at once in this account: the next look brings it."""
        from botocore.exceptions import ClientError

        try:
            for stream in self._streams():
                self._read(stream, progress)
        except ClientError as problem:
            if not is_throttled(problem):
                raise

    def last_words(self) -> list[str]:
        return events.last_words(self._tail)

    def _streams(self) -> list[str]:
        """`<job>/algo-1-<time of its start>`, oldest first."""
        found: list[str] = []
        with unless_gone():  # the group is made by the first job that ever writes
            pages = self._client.get_paginator("describe_log_streams").paginate(
                logGroupName=self._group, logStreamNamePrefix=f"{self.job}/"
            )
            found = [stream["logStreamName"] for page in pages for stream in page["logStreams"]]
        return sorted(found)

    def _read(self, stream: str, progress: Progress) -> None:
        while True:
            token = self._tokens.get(stream)
            place = {"nextToken": token} if token else {}
            answer = self._client.get_log_events(
                logGroupName=self._group, logStreamName=stream, startFromHead=True, **place
            )
            self._tokens[stream] = answer["nextForwardToken"]
            self._take([str(event["message"]) for event in answer["events"]], progress)
            if answer["nextForwardToken"] == token:  # the same token again: that was all
                return

    def _take(self, lines: list[str], progress: Progress) -> None:
        if not lines:
            return
        with self.log.open("a", encoding="utf-8") as log:
            for line in lines:
                try:
                    self.error = events.pass_on(line, progress) or self.error
                except events.NotAnEvent:
                    log.write(line.rstrip("\n") + "\n")
                    self._tail = [*self._tail[-_KEPT:], line]
