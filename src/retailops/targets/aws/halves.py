"""Floor 4, aws: what a run that was cut off had begun is finished, instead of being made a second time.

Terraform marks what it didn't see through and makes it anew, before it removes the first one: whose name, address or
route is taken by then. But AWS finishes what it was asked for, whoever waits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from retailops.progress import Progress
from retailops.targets.aws.session import Session, translated
from retailops.tools.terraform import ResourceChange

_REMADE = {"aws_sagemaker_feature_group"}  # may have failed, and nothing hangs on it: simply made anew
# type → service, what waits for it, and how it is asked for; everything else is there when its first call returns.
_AWAITED: dict[str, tuple[str, str, Callable[[ResourceChange], dict[str, object]]]] = {
    "aws_eks_cluster": ("eks", "cluster_active", lambda each: {"name": each.name}),
    "aws_eks_node_group": ("eks", "nodegroup_active", lambda each: _of_cluster(each, "nodegroupName")),
    "aws_eks_addon": ("eks", "addon_active", lambda each: _of_cluster(each, "addonName")),
    "aws_nat_gateway": ("ec2", "nat_gateway_available", lambda each: {"NatGatewayIds": [each.name]}),
}


def whole(session: Session, planned: Sequence[ResourceChange], progress: Progress) -> list[str]:
    """Addresses of what was half made and stands now; what AWS gave up itself is left out."""
    halves = [each for each in planned if each.half_made and "create" in each.actions and each.type not in _REMADE]
    return [each.address for each in halves if _is_done(session, each, progress)]


def _is_done(session: Session, each: ResourceChange, progress: Progress) -> bool:
    from botocore.exceptions import WaiterError

    if each.type not in _AWAITED:
        return True
    service, waiting, asked = _AWAITED[each.type]
    progress.stage(f"Waiting for {each.address}, which a run before had begun")
    with translated(f"Waiting for {each.address}"):
        try:
            session.unwatched(service).get_waiter(waiting).wait(**asked(each))
        except WaiterError as problem:
            progress.note(f"{each.address} is made anew: {problem}")
            return False
    return True


def _of_cluster(each: ResourceChange, key: str) -> dict[str, object]:
    cluster, _, name = each.name.partition(":")
    return {"clusterName": cluster, key: name}
