"""Floor 4, aws: what Terraform builds, and how it stands."""

from __future__ import annotations

from retailops.ports import AS_IT_STANDS, Change, Standing, Terms
from retailops.progress import Progress
from retailops.targets.aws.session import Session


class AwsInfra:
    def __init__(self, session: Session) -> None:
        self._session = session

    def changes(self, terms: Terms = AS_IT_STANDS) -> list[Change]:
        raise NotImplementedError

    def apply(self, progress: Progress, terms: Terms = AS_IT_STANDS) -> None:
        raise NotImplementedError

    def standing(self) -> Standing:
        raise NotImplementedError

    def destroy(self, progress: Progress) -> None:
        """Terraform's own destroy, with its progress; the state bucket stays. Nothing there is success."""
        raise NotImplementedError

    def forget(self, addresses: list[str]) -> None:
        """Take these resources out of Terraform's state, so that destroy spares them."""
        raise NotImplementedError
