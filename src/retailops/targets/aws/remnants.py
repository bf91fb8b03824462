"""Floor 4, aws: what a cluster leaves in the network: security groups of its load balancers, interfaces of its pods."""

from __future__ import annotations

from typing import Any

from retailops.progress import Progress
from retailops.targets.aws.inventory.account import Account, unless_gone
from retailops.targets.aws.session import translated

_OF_BALANCERS = "elbv2.k8s.aws/cluster"
_OF_PODS = "cluster.k8s.amazonaws.com/name"


def remove(account: Account, progress: Progress) -> int:
    """Those that carry the cluster's name and that nothing uses. Returns how many went."""
    interfaces = _tagged(account, "describe_network_interfaces", "NetworkInterfaces[?Status=='available']", _OF_PODS)
    for each in interfaces:
        _delete(account, "network interface", "delete_network_interface", NetworkInterfaceId=each["NetworkInterfaceId"])
    groups = _tagged(account, "describe_security_groups", "SecurityGroups[]", _OF_BALANCERS)
    gone = [each for each in groups if not _is_used(account, each["GroupId"])]
    for each in gone:
        _unreference(account, each["GroupId"])
    for each in gone:
        _delete(account, "security group", "delete_security_group", GroupId=each["GroupId"])
    for each in [*interfaces, *gone]:
        progress.note(f"left by the cluster: {each.get('NetworkInterfaceId') or each['GroupId']}")
    return len(interfaces) + len(gone)


def _tagged(account: Account, operation: str, expression: str, tag: str) -> list[dict[str, Any]]:
    filters = [{"Name": f"tag:{tag}", "Values": [account.prefix]}]
    return account.ask("ec2", operation, f"{expression} | []", Filters=filters)


def _is_used(account: Account, group: str) -> bool:
    filters = [{"Name": "group-id", "Values": [group]}]
    return bool(account.ask("ec2", "describe_network_interfaces", "NetworkInterfaces[]", Filters=filters))


def _unreference(account: Account, group: str) -> None:
    """Take it out of the rules of other groups, the nodes' above all: a group that is referred to can't go."""
    filters = [{"Name": "ip-permission.group-id", "Values": [group]}]
    for other in account.ask("ec2", "describe_security_groups", "SecurityGroups[]", Filters=filters):
        rules = []
        for rule in other["IpPermissions"]:
            pairs = [pair for pair in rule.get("UserIdGroupPairs", []) if pair.get("GroupId") == group]
            if pairs:
                kept = {key: rule[key] for key in ("IpProtocol", "FromPort", "ToPort") if key in rule}
                rules.append({**kept, "UserIdGroupPairs": [{"GroupId": group}]})
        with translated(f"Taking {group} out of the rules of {other['GroupId']}"), unless_gone():
            account.client("ec2").revoke_security_group_ingress(GroupId=other["GroupId"], IpPermissions=rules)


def _delete(account: Account, what: str, operation: str, **which: str) -> None:
    with translated(f"Removing the {what} {next(iter(which.values()))}"), unless_gone():
        getattr(account.client("ec2"), operation)(**which)
