"""Floor 4, aws: what Terraform has built, read from its state file alone, without Terraform."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from retailops.targets.aws.inventory.account import Account, unless_gone
from retailops.targets.aws.session import translated


@dataclass(frozen=True)
class Built:
    """A resource of Terraform's state."""

    address: str
    type: str
    values: Mapping[str, Any] = field(hash=False)

    @property
    def ids(self) -> set[str]:
        """All that it may be known by."""
        keys = ("id", "arn", "name", "key_id", "alarm_name", "allocation_id")
        found = {str(self.values[key]) for key in keys if self.values.get(key)}
        # Terraform joins cluster and node group with a colon, account and name of a database or a budget too.
        return found | {each.replace(":", "/", 1) for each in found} | {each.rpartition(":")[2] for each in found}


def resources(account: Account) -> list[Built]:
    """Everything in the state, data sources left out; nothing when there is no state."""
    names, state = account.names, {}
    with translated(f"Reading Terraform's state in {names.state_bucket}"), unless_gone():
        body = account.client("s3").get_object(Bucket=names.state_bucket, Key=names.state_key)["Body"].read()
        state = json.loads(body)
    return [
        Built(_address(each, instance), each["type"], instance.get("attributes", {}))
        for each in state.get("resources", [])
        if each["mode"] == "managed"
        for instance in each["instances"]
    ]


def _address(resource: Mapping[str, Any], instance: Mapping[str, Any]) -> str:
    module = f"{resource['module']}." if "module" in resource else ""
    index = f"[{json.dumps(instance['index_key'])}]" if "index_key" in instance else ""
    return f"{module}{resource['type']}.{resource['name']}{index}"
