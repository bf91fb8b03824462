"""Floor 4, aws: the API on Kubernetes, so far as this version has it: written down, not yet rolled out."""

from __future__ import annotations

from functools import partial

from retailops.ports import Rendering
from retailops.targets.aws import NotYet
from retailops.targets.aws.session import Session
from retailops.targets.aws.workload import rendered


class AwsServing(NotYet):
    """All but the manifests, which are the same that a rollout would apply."""

    def __init__(self, session: Session) -> None:
        super().__init__("serving", " What would be applied: retailops deploy --render DIR")
        self._session = session

    def rendering(self) -> Rendering:
        return partial(rendered, self._session)
