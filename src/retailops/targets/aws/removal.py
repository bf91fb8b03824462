"""Floor 4, aws: taking all of it away in the order that works, then looking whether it is gone."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from retailops.ports import NOTHING, Change
from retailops.progress import SILENT, Progress
from retailops.targets.aws.infra import AwsInfra
from retailops.targets.aws.session import Session


class AwsRemoval:
    def __init__(self, session: Session, infra: AwsInfra) -> None:
        self._session = session
        self._infra = infra

    def removals(self, keep: AbstractSet[str] = NOTHING, progress: Progress = SILENT) -> list[Change]:
        raise NotImplementedError

    def remove(self, progress: Progress, keep: AbstractSet[str] = NOTHING) -> None:
        raise NotImplementedError

    def left(self, keep: AbstractSet[str] = NOTHING, progress: Progress = SILENT) -> list[Change]:
        raise NotImplementedError
