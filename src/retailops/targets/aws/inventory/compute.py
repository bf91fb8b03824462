"""Floor 4, aws, inventory: the cluster, its nodes, and machines and disks of any origin."""

from __future__ import annotations

from collections.abc import Iterable

from retailops.targets.aws.inventory.account import Account
from retailops.targets.aws.inventory.kind import (
    Facts,
    Kind,
    Line,
    ec2,
    flat,
    gone_is_none,
    look,
    names,
)
from retailops.targets.aws.inventory.network import HOURS


def _node_groups(account: Account) -> Iterable[str]:
    for cluster in account.ask("eks", "list_clusters", "clusters[]"):
        if account.is_named_ours(cluster):
            for group in account.ask("eks", "list_nodegroups", "nodegroups[]", clusterName=cluster):
                yield f"{cluster}/{group}"


def _node_group(account: Account, id: str) -> Facts | None:
    cluster, _, group = id.partition("/")
    found = account.client("eks").describe_nodegroup(clusterName=cluster, nodegroupName=group)["nodegroup"]
    size = found.get("scalingConfig", {}).get("desiredSize", 0)
    return {"tags": found.get("tags"), "detail": f"{size} nodes wanted"}


def _addon(account: Account, id: str) -> Facts | None:
    cluster, _, addon = id.partition("/")
    found = account.client("eks").describe_addon(clusterName=cluster, addonName=addon)["addon"]
    return {"tags": found.get("tags")}


def _groups_of_machines(account: Account) -> Iterable[str]:
    own = [{"Name": f"tag:{key}", "Values": [value]} for key, value in account.own_tags.items()]
    cluster = [{"Name": "tag:eks:cluster-name", "Values": [account.prefix]}]
    for filters in (own, cluster):
        yield from account.ask(
            "autoscaling",
            "describe_auto_scaling_groups",
            "AutoScalingGroups[].AutoScalingGroupName",
            Filters=filters,
        )


def _instance_price(facts: Facts) -> list[Line]:
    """By the hour while it runs; a stopped one costs its disks and addresses, which are listed by themselves."""
    return [Line(f"ec2.{facts['type']}", HOURS)] if facts["state"] in ("running", "pending") else []


def _volume_price(facts: Facts) -> list[Line]:
    return [Line(f"ebs.{facts['type']}", float(facts["gb"]))]


def _snapshot_price(facts: Facts) -> list[Line]:
    """At most: what is empty, or is in an older snapshot too, isn't paid."""
    return [Line("ebs.snapshot", float(facts["gb"]))]


CLUSTER = (
    Kind(
        "EKS add-on",
        gone_is_none(_addon),
        services=("eks",),
        terraform="aws_eks_addon",
        arn=r":eks:.*:addon/([^/]+/[^/]+)/",
        remove="eks delete-addon --cluster-name {cluster} --addon-name {part}",
        follows=True,
    ),
    Kind(
        "node group",
        gone_is_none(_node_group),
        _node_groups,
        services=("eks",),
        terraform="aws_eks_node_group",
        arn=r":eks:.*:nodegroup/([^/]+/[^/]+)/",
        remove="eks delete-nodegroup --cluster-name {cluster} --nodegroup-name {part}",
    ),
    Kind(
        "EKS cluster",
        look("eks", "describe_cluster", "cluster.{tags: tags, detail: version, arn: arn}", name="{id}"),
        names("eks", "list_clusters", "clusters[]"),
        services=("eks",),
        terraform="aws_eks_cluster",
        arn=r":eks:.*:cluster/(.+)$",
        price=flat("eks.cluster", HOURS),
        remove="eks delete-cluster --name",
    ),
)

MACHINES = (
    Kind(
        "Auto Scaling group",
        look(
            "autoscaling",
            "describe_auto_scaling_groups",
            "AutoScalingGroups[0].{tags: Tags, detail: join('', [to_string(DesiredCapacity), ' machines wanted'])}",
            AutoScalingGroupNames=["{id}"],
        ),
        _groups_of_machines,
        services=("autoscaling",),
        terraform="aws_autoscaling_group",
        arn=r":autoscaling:.*:autoScalingGroupName/(.+)$",
        remove="autoscaling delete-auto-scaling-group --force-delete --auto-scaling-group-name",
        by_name=False,
        follows=True,
    ),
    ec2(
        "EC2 instance",
        "instance",
        "describe_instances",
        "Reservations[].Instances[]|[?State.Name!='terminated' && State.Name!='shutting-down']|[0]"
        ".{tags: Tags, type: InstanceType, state: State.Name, detail: join(', ', [InstanceType, State.Name])}",
        "InstanceIds",
        terraform="aws_instance",
        inside="Reservations[].Instances[].InstanceId",
        price=_instance_price,
        remove="terminate-instances --instance-ids",
        follows=True,
    ),
    ec2(
        "launch template",
        "launch-template",
        "describe_launch_templates",
        "LaunchTemplates[0].{tags: Tags, name: LaunchTemplateName}",
        "LaunchTemplateIds",
        terraform="aws_launch_template",
        remove="delete-launch-template --launch-template-id",
        follows=True,
    ),
    ec2(
        "EBS volume",
        "volume",
        "describe_volumes",
        "Volumes[?State!='deleted' && State!='deleting']|[0].{tags: Tags, type: VolumeType, gb: Size, state: State,"
        " detail: join('', [to_string(Size), ' GB ', VolumeType, ', ', State])}",
        "VolumeIds",
        terraform="aws_ebs_volume",
        price=_volume_price,
        remove="delete-volume --volume-id",
    ),
    ec2(
        "snapshot",
        "snapshot",
        "describe_snapshots",
        "Snapshots[0].{tags: Tags, gb: VolumeSize, detail: join('', ['at most ', to_string(VolumeSize), ' GB'])}",
        "SnapshotIds",
        terraform="aws_ebs_snapshot",
        price=_snapshot_price,
        remove="delete-snapshot --snapshot-id",
    ),
)
