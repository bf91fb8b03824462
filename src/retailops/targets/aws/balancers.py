"""Floor 4, aws: load balancers that Kubernetes asked for, which Terraform doesn't know and which hold the network.

Their controller removes them when their Ingress or Service goes. Where there is no controller any more, or none that
can be reached, they are removed here, by the tag that says whose they are.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from retailops.progress import Progress
from retailops.targets.aws import cluster as clusters
from retailops.targets.aws.inventory.account import Account, unless_gone
from retailops.targets.aws.inventory.kind import Found
from retailops.targets.aws.inventory.network import BALANCERS
from retailops.targets.aws.session import translated
from retailops.targets.aws.waiting import LOOK_S, until
from retailops.tools import kube
from retailops.tools.kube import Unreachable


@dataclass(frozen=True)
class Patience:
    """Seconds: for the controller, for AWS after a load balancer is gone, and between two looks."""

    controller: float = 300.0
    network: float = 300.0
    look: float = LOOK_S


class Balancers:
    def __init__(self, account: Account, patience: Patience) -> None:
        self._account = account
        self._patience = patience

    def remove(self, progress: Progress) -> None:
        """All of the cluster's load balancers, and what belongs to them. None there is success."""
        progress.stage("Removing load balancers")
        before = [found for found in self.standing() if found.kind.name != "target group"]
        if self._ask_controller(progress):
            until(lambda: not self.standing(), self._patience.controller, self._patience.look)
        for found in self.standing():
            progress.note(f"{found.kind.name} {found.name}: removed by its tag")
            self._delete(found)
        # A target group is let go a moment after its load balancer; what stays, the audit tells.
        until(self._groups_gone, self._patience.network, self._patience.look)
        if before:
            until(lambda: not self._interfaces(before), self._patience.network, self._patience.look)

    def standing(self) -> list[Found]:
        """What carries the cluster's tag: load balancers, then target groups."""
        found = []
        for kind in BALANCERS:
            for each in kind.listing(self._account) if kind.listing else ():
                with translated(f"Looking at the {kind.name} {each}"):
                    facts = kind.looking(self._account, each)
                if facts is not None:
                    found.append(Found(kind, each, facts))
        return [each for each in found if self._account.has_cluster_tag(each.tags)]

    def _ask_controller(self, progress: Progress) -> bool:
        """Delete what they were made for; whether somebody is there to follow it up."""
        cluster = clusters.described(self._account.session)
        if cluster is None or cluster.get("status") != "ACTIVE":
            return False
        try:
            with clusters.connected(self._account.session, cluster) as kubernetes:
                entrances = kube.entrances(kubernetes)
                for each in entrances:
                    progress.note(str(each))
                    kube.delete_entrance(kubernetes, each)
                return bool(entrances) and kube.has_nodes(kubernetes)
        except Unreachable as problem:
            progress.note(f"{problem.what} Load balancers are removed by their tags.")
            return False

    def _delete(self, found: Found) -> None:
        with translated(f"Removing the {found.kind.name} {found.name}"), unless_gone():
            if found.kind.name == "load balancer":
                self._account.client("elbv2").delete_load_balancer(LoadBalancerArn=found.id)
            elif found.kind.name == "classic load balancer":
                self._account.client("elb").delete_load_balancer(LoadBalancerName=found.id)
            else:
                self._delete_group(found.id)

    def _delete_group(self, arn: str) -> None:
        elbv2 = self._account.client("elbv2")
        with suppress(elbv2.exceptions.ResourceInUseException):
            elbv2.delete_target_group(TargetGroupArn=arn)

    def _groups_gone(self) -> bool:
        groups = [found for found in self.standing() if found.kind.name == "target group"]
        for found in groups:
            self._delete(found)
        return not groups

    def _interfaces(self, balancers: list[Found]) -> list[str]:
        """Network interfaces that AWS still holds for them; the subnets can't go before."""
        described = [
            f"ELB {found.id.split(':loadbalancer/')[-1]}" if ":loadbalancer/" in found.id else f"ELB {found.name}"
            for found in balancers
        ]
        filters = [{"Name": "description", "Values": described}]
        ids = "NetworkInterfaces[].NetworkInterfaceId"
        return self._account.ask("ec2", "describe_network_interfaces", ids, Filters=filters)
