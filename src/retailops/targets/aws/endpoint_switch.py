"""Floor 4, aws: from whatever an endpoint is to one configuration, watched until it is there or taken back.

SageMaker goes on by itself whatever becomes of the command: the next one finds the endpoint on its way and follows it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from retailops.errors import Interrupted, RetailOpsError, TargetFailed
from retailops.progress import Progress
from retailops.targets.aws.diagnoses import HOSTING, RULES
from retailops.targets.aws.endpoint_guards import Alarms, Scaling
from retailops.targets.aws.endpoint_history import Edition
from retailops.targets.aws.endpoint_logs import EndpointLogs
from retailops.targets.aws.endpoint_plan import endpoint_name, longest_s, shifting
from retailops.targets.aws.inventory.account import unless_gone
from retailops.targets.aws.session import Session
from retailops.targets.aws.waiting import LOOK_S
from retailops.tools.diagnosis import fitting, plain

BUSY = {
    "Creating": "Waiting for the endpoint's machines",
    "Updating": "The new version's machines start beside the old ones, then traffic goes over",
    "RollingBack": "SageMaker takes the update back",
    "SystemUpdating": "SageMaker maintains the endpoint",
    "Deleting": "Waiting until the old endpoint is gone",
}
_SHOWN = 10  # lines of the log that a failure tells


@dataclass(frozen=True)
class Patience:
    """Between two looks; beyond SageMaker's own limit; and how long a configuration may be another command's."""

    look: float = LOOK_S
    beyond: float = 900.0
    young: timedelta = timedelta(hours=1)


class Switch:
    def __init__(self, session: Session, alarms: Alarms, scaling: Scaling, patience: Patience) -> None:
        self._session = session
        self._alarms = alarms
        self._scaling = scaling
        self._patience = patience
        self.name = endpoint_name(session.names)

    def state(self) -> dict[str, Any]:
        """As SageMaker describes it; empty when there is none."""
        with unless_gone():
            found: dict[str, Any] = self._sagemaker.describe_endpoint(EndpointName=self.name)
            return found
        return {}

    def settled(self, progress: Progress) -> dict[str, Any]:
        """The endpoint once SageMaker is done with it, whoever asked. TargetFailed when that takes too long."""
        limit = longest_s(self._session.settings.endpoint) + self._patience.beyond
        began, said = time.monotonic(), ""
        try:
            while (found := self.state()).get("EndpointStatus") in BUSY:
                if found["EndpointStatus"] != said:
                    said = found["EndpointStatus"]
                    progress.stage(BUSY[said])
                if time.monotonic() - began > limit:
                    raise TargetFailed(
                        f"The endpoint {self.name} has been {said} for {limit / 60:.0f} minutes.",
                        "SageMaker goes on: run the same command again in a while, it follows it.",
                    )
                time.sleep(self._patience.look)
        except KeyboardInterrupt:
            raise Interrupted(
                f"SageMaker goes on with the endpoint {self.name}, unproved.",
                "Run the same command again: it follows, proves it, and undoes it if it isn't right.",
            ) from None
        return found

    def to(self, coming: Edition, live: Edition | None, progress: Progress, *, guarded: bool = True) -> None:
        """The endpoint in service with this configuration, `live` being the one of now; already so: nothing is done.

        TargetFailed when SageMaker gave it up; then the endpoint is what it was, or gone when there was none.
        """
        found = self.settled(progress)
        began = datetime.now(UTC)
        if found.get("EndpointStatus") == "Failed":  # nothing else can be done with it
            self.delete(progress)
            found = {}
        if not found:
            self._create(coming.config)
        elif found["EndpointConfigName"] != coming.config:
            self._update(coming, live, guarded=guarded)
        found = self.settled(progress)
        if (found.get("EndpointStatus"), found.get("EndpointConfigName")) != ("InService", coming.config):
            raise self._given_up(coming, found, began, progress)

    def delete(self, progress: Progress) -> None:
        """The endpoint with its scaling; nothing there is success."""
        self._scaling.remove()
        with unless_gone():
            self._sagemaker.delete_endpoint(EndpointName=self.name)
        self.settled(progress)

    def _create(self, config: str) -> None:
        tags = [{"Key": key, "Value": value} for key, value in self._session.tags.items()]
        once(lambda: self._sagemaker.create_endpoint(EndpointName=self.name, EndpointConfigName=config, Tags=tags))

    def _update(self, coming: Edition, live: Edition | None, *, guarded: bool) -> None:
        wanted = self._session.settings.endpoint
        self._scaling.make_way(live, coming)
        how = {"DeploymentConfig": shifting(wanted, self._alarms.put(coming.config))} if guarded else {}
        self._sagemaker.update_endpoint(
            EndpointName=self.name,
            EndpointConfigName=coming.config,
            RetainAllVariantProperties=self._scaling.wanted,  # as many machines as the load has brought
            **how,
        )

    def _given_up(self, coming: Edition, found: dict[str, Any], began: datetime, progress: Progress) -> RetailOpsError:
        """What SageMaker says, what the container said, and what serves now."""
        reason = plain(str(found.get("FailureReason") or "")) or "SageMaker took the update back and doesn't say why"
        words = EndpointLogs(self._session, self.name).since(began, _SHOWN)
        log = "".join(f"\n  {line}" for line in (" Last words of the new server:", *words)) if words else ""
        rule = fitting(reason, (*HOSTING, *RULES))
        fix = rule.fix if rule else "Look at: retailops logs; then deploy again."
        if found.get("EndpointStatus") == "InService":
            what = f"Version {coming.version} didn't come into service, and the old one serves on: {reason}.{log}"
        else:
            what = f"Version {coming.version} didn't come into service: {reason}.{log}"
            self.delete(progress)  # it answers nobody, and may cost all the same
        return (rule.error if rule else TargetFailed)(what, fix, details={"cause": rule.cause if rule else ""})

    @cached_property
    def _sagemaker(self) -> Any:
        return self._session.client("sagemaker")


def once(create: Callable[[], object]) -> None:
    """Create what is called by its content: there already, by us or by a command beside us, is as good."""
    from botocore.exceptions import ClientError

    try:
        create()
    except ClientError as problem:
        if "already exist" not in str(problem):
            raise
