"""Floor 4, aws: whether this account, these credentials and this machine can do what the config asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from retailops.ports import Finding
from retailops.progress import Progress
from retailops.targets.aws.session import Session


class AwsDoctor:
    def __init__(self, session: Session) -> None:
        self._session = session

    def findings(self, progress: Progress) -> Iterator[Finding]:
        yield from ()

    def policy(self) -> Mapping[str, Any]:
        return {}
