"""Floor 4, aws, inventory: every kind there is, in the order in which teardown takes them away."""

from __future__ import annotations

from retailops.targets.aws.inventory.access import ACCESS
from retailops.targets.aws.inventory.compute import CLUSTER, MACHINES
from retailops.targets.aws.inventory.data import CATALOGUE, WATCH
from retailops.targets.aws.inventory.kind import Kind, unpriced
from retailops.targets.aws.inventory.learning import LEARNING, REGISTRY
from retailops.targets.aws.inventory.network import BALANCERS, NETWORK
from retailops.targets.aws.inventory.storage import LOGS, STORAGE

KINDS: tuple[Kind, ...] = (
    *BALANCERS,
    *LEARNING,
    *REGISTRY,
    *CLUSTER,
    *MACHINES,
    *NETWORK,
    *CATALOGUE,
    *WATCH,
    *ACCESS,
    *STORAGE,
    *LOGS,
)
BY_NAME = {kind.name: kind for kind in KINDS}
BY_TERRAFORM = {kind.terraform: kind for kind in KINDS if kind.terraform}
BY_EC2 = {kind.ec2: kind for kind in KINDS if kind.ec2}
SERVICES = sorted({service for kind in KINDS for service in kind.services})

# Parts of other things, which have ARNs and tags of their own, and go with them.
PARTS = (":security-group-rule/", ":access-entry/", ":podidentityassociation/", ":listener/", ":listener-rule/")
UNKNOWN = Kind("unknown", looking=lambda account, which: {"detail": "known by its tags alone"}, price=unpriced)


def kind_of(arn: str) -> tuple[Kind, str] | None:
    """The kind and the id of an ARN; the kind UNKNOWN for one that no table knows; None for a part of something."""
    if any(part in arn for part in PARTS):
        return None
    for kind in KINDS:
        found = kind.id_of(arn)
        if found is not None:
            return kind, found
    return UNKNOWN, arn
