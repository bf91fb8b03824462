"""Floor 4, aws: attempts at one piece of work on SageMaker: found by their names, followed to their end, let go."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from retailops.errors import Interrupted, TargetFailed
from retailops.progress import Progress
from retailops.targets.aws.inventory.account import unless_gone
from retailops.targets.aws.inventory.learning import RUNNING
from retailops.targets.aws.orders import Api
from retailops.targets.aws.session import Session, code_of
from retailops.targets.aws.waiting import LOOK_S


@dataclass(frozen=True)
class Patience:
    """Seconds: between two looks, for a second Ctrl-C, for a machine to stop, and for CloudWatch to show last lines."""

    look: float = LOOK_S
    grace: float = 5.0
    stopping: float = 900.0  # it gets two minutes, and then time to save what it has
    late: float = 15.0


class Attempts:
    """The jobs of one of SageMaker's ways to work."""

    def __init__(self, session: Session, api: Api, patience: Patience) -> None:
        self._session = session
        self._api = api
        self._patience = patience

    def latest(self, name: Callable[[int], str]) -> tuple[int, dict[str, Any]]:
        """Number and description of the newest attempt; 0 and nothing when there was none."""
        attempt, found = 0, dict[str, Any]()
        while further := self.described(name(attempt + 1)):
            attempt, found = attempt + 1, further
        return attempt, found

    def described(self, name: str) -> dict[str, Any]:
        with unless_gone():
            found: dict[str, Any] = getattr(self.sagemaker, f"describe_{self._api.thing}")(
                **{f"{self._api.camel}Name": name}
            )
            return found
        return {}

    def create(self, request: dict[str, Any], name: str, progress: Progress) -> None:
        """The name is the lock: another command was quicker, or an answer to our own first call was lost."""
        from botocore.exceptions import ClientError

        try:
            getattr(self.sagemaker, f"create_{self._api.thing}")(**request)
        except ClientError as problem:
            if code_of(problem) != "ResourceInUse":
                raise
            progress.note(f"{name} exists already: following it.")

    def follow(self, name: str, seen: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """Show every look at it to `seen` until it has ended; the last of its descriptions."""
        since = 0.0
        while True:
            description = self.described(name)
            status = description[f"{self._api.camel}Status"]
            seen(description)
            if status not in RUNNING:
                return description
            if status == "Stopping":
                since = since or time.monotonic()
                if time.monotonic() - since > self._patience.stopping:
                    raise TargetFailed(
                        f"{name} has been stopping for {self._patience.stopping / 60:.0f} minutes.",
                        "AWS ends it in the end: run the same command again in a while; it starts once this has ended.",
                    )
            time.sleep(self._patience.look)

    def let_go(self, name: str, progress: Progress) -> Interrupted:
        """Ctrl-C leaves the job running, since it is paid for already; a second one right after it stops it."""
        words = f"{name} goes on without this command. Ctrl-C once more within {self._patience.grace:.0f} s stops it."
        try:
            progress.note(words)
            time.sleep(self._patience.grace)
        except KeyboardInterrupt:
            getattr(self.sagemaker, f"stop_{self._api.thing}")(**{f"{self._api.camel}Name": name})
            return Interrupted(f"{name} was told to stop.", "Run the same command again to start it anew.")
        return Interrupted(f"{name} goes on on SageMaker.", "Run the same command again to follow it.")

    @cached_property
    def sagemaker(self) -> Any:
        return self._session.client("sagemaker")
