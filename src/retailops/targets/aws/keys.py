"""Floor 4, aws: the project's own keys, which `infra up` makes: `data` opens the lake, `platform` what runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from retailops.errors import NotReady
from retailops.targets.aws.inventory.account import unless_gone
from retailops.targets.aws.session import Session


def key_arn(session: Session, name: Literal["data", "platform"]) -> str:
    """The ARN of a key: volumes take no alias. NotReady when it isn't there."""
    alias = f"alias/{session.names.prefix}-{name}"
    found: Mapping[str, Any] = {}
    with unless_gone():
        found = session.client("kms").describe_key(KeyId=alias)["KeyMetadata"]
    if not found:
        raise NotReady(f"There is no key {alias}: the infrastructure doesn't stand.", "Run: retailops infra up")
    return str(found["Arn"])
