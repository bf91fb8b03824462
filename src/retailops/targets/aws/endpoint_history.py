"""Floor 4, aws: the configurations that an endpoint has had, which SageMaker keeps: the way back is one of them.

A configuration carries what it was made of (version, bundle) and when it was last found good, as tags. So the way back
is known on every machine, and goes when the configurations go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from retailops.ports import Served
from retailops.targets.aws.endpoint_plan import BUNDLE, LIMITS, VERSION, limits_of
from retailops.targets.aws.inventory.account import Account, unless_gone
from retailops.targets.aws.inventory.kind import plain_tags
from retailops.targets.aws.session import Session

SERVED, RETURNED = "retailops:served", "retailops:returned"
KEPT = 3  # that served before the live one: so far back goes a rollback


@dataclass(frozen=True)
class Edition:
    """One configuration, with the model in it."""

    config: str
    arn: str
    model: str
    variant: Mapping[str, Any]
    version: int
    bundle: str
    limits: str  # the words that its servers were started with
    served: str  # ISO 8601, UTC, when it was last found good; "" = never
    returned: bool  # that was by a rollback
    created: datetime

    @property
    def settings(self) -> dict[str, float | int]:
        """What it has of retail.yaml, by dotted key."""
        return limits_of(self.limits)

    @property
    def as_served(self) -> Served:
        return Served(self.version, self.bundle, self.served, self.settings, {"config": self.config})


class History:
    def __init__(self, session: Session, young: timedelta) -> None:
        self._session = session
        self._young = young  # what was made so lately may be in another command's hands

    def editions(self) -> list[Edition]:
        """The one that served last at the end; those that never served first."""
        names = self._account.ask(
            "sagemaker",
            "list_endpoint_configs",
            "EndpointConfigs[].EndpointConfigName",
            NameContains=self._account.prefix,
        )
        found = [edition for name in names if (edition := self.edition(name))]
        return sorted(found, key=lambda each: (each.served, each.created))

    def edition(self, config: str) -> Edition | None:
        """None for one that isn't there, or not of ours."""
        with unless_gone():
            told = self._sagemaker.describe_endpoint_config(EndpointConfigName=config)
            tags = plain_tags(self._sagemaker.list_tags(ResourceArn=told["EndpointConfigArn"])["Tags"])
            if VERSION in tags and self._account.has_own_tags(tags):
                variant = told["ProductionVariants"][0]
                return Edition(
                    config=config,
                    arn=told["EndpointConfigArn"],
                    model=variant["ModelName"],
                    variant=variant,
                    version=int(tags[VERSION]),
                    bundle=tags[BUNDLE],
                    limits=tags.get(LIMITS, ""),
                    served=tags.get(SERVED, ""),
                    returned=tags.get(RETURNED, "") == "yes",
                    created=told["CreationTime"],
                )
        return None

    def announce(self, edition: Edition, *, returned: bool) -> None:
        """How it is about to come, said before it does: a rollback that was cut off knows that it was one."""
        if edition.returned != returned:
            self._tag(edition, {RETURNED: "yes" if returned else "no"})

    def note(self, edition: Edition, *, returned: bool) -> None:
        """It serves, and was found good. The one that was noted last already keeps its time, and how it came."""
        newest = self.editions()[-1:]
        if newest and newest[0].config == edition.config and edition.served:
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._tag(edition, {SERVED: now, RETURNED: "yes" if returned else "no"})

    def _tag(self, edition: Edition, tags: Mapping[str, str]) -> None:
        told = [{"Key": key, "Value": value} for key, value in tags.items()]
        self._sagemaker.add_tags(ResourceArn=edition.arn, Tags=told)

    def before(self, live: str) -> list[Edition]:
        """What served before `live`, the last one at the end."""
        return [each for each in self.editions() if each.served and each.config != live]

    def old(self, live: str) -> list[Edition]:
        """Those that nobody needs any more: beyond the last few that served, and those that never did."""
        others = [each for each in self.editions() if each.config != live]
        back = [each.config for each in others if each.served][-KEPT:]
        now = datetime.now(UTC)
        return [
            each for each in others if each.config not in back and (each.served or now - each.created > self._young)
        ]

    def drop(self, edition: Edition) -> None:
        """The configuration, and its model unless another has it too. Nothing there is success."""
        with unless_gone():
            self._sagemaker.delete_endpoint_config(EndpointConfigName=edition.config)
        if edition.model not in [each.model for each in self.editions()]:
            with unless_gone():
                self._sagemaker.delete_model(ModelName=edition.model)

    @cached_property
    def _account(self) -> Account:
        return Account(self._session)

    @cached_property
    def _sagemaker(self) -> Any:
        return self._session.client("sagemaker")
