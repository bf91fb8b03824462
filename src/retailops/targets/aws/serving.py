"""Floor 4, aws: the API on Kubernetes, so far as this version has it: written down, not yet rolled out."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from retailops.errors import Unsupported
from retailops.ports import Endpoint, ModelVersion, Rendering
from retailops.progress import Progress
from retailops.targets.aws.session import Session
from retailops.targets.aws.workload import rendered


class AwsServing:
    """The manifests are the same that a rollout would apply."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def rendering(self) -> Rendering:
        return partial(rendered, self._session)

    def roll_out(self, model: ModelVersion, progress: Progress) -> Endpoint:
        raise _not_yet()

    def endpoint(self) -> Endpoint | None:
        raise _not_yet()

    def logs(self, lines: int, follow: bool) -> Iterator[str]:
        raise _not_yet()


def _not_yet() -> Unsupported:
    return Unsupported(
        "This version of retailops has no serving on aws.",
        "local has: add --target local to the command. What would be applied: retailops deploy --render DIR",
    )
