"""Floor 4, aws, inventory: the network and what hangs in it."""

from __future__ import annotations

from collections.abc import Iterable

from retailops.targets.aws.inventory.account import Account
from retailops.targets.aws.inventory.kind import Facts, Kind, Line, ec2, flat, look, plain_tags

_BATCH = 20  # load balancers whose tags one call tells
HOURS = 730.0  # of a month, as AWS reckons them


def _balancers(account: Account) -> Iterable[str]:
    return _ours(account, account.ask("elbv2", "describe_load_balancers", "LoadBalancers[].LoadBalancerArn"))


def _target_groups(account: Account) -> Iterable[str]:
    return _ours(account, account.ask("elbv2", "describe_target_groups", "TargetGroups[].TargetGroupArn"))


def _ours(account: Account, arns: list[str]) -> Iterable[str]:
    """Those whose tags are the project's or the cluster's."""
    for at in range(0, len(arns), _BATCH):
        some = arns[at : at + _BATCH]
        for found in account.ask("elbv2", "describe_tags", "TagDescriptions[]", ResourceArns=some):
            tags = plain_tags(found["Tags"])
            if account.has_own_tags(tags) or account.has_cluster_tag(tags):
                yield found["ResourceArn"]


def _classic(account: Account) -> Iterable[str]:
    names = account.ask("elb", "describe_load_balancers", "LoadBalancerDescriptions[].LoadBalancerName")
    for at in range(0, len(names), _BATCH):
        some = names[at : at + _BATCH]
        for found in account.ask("elb", "describe_tags", "TagDescriptions[]", LoadBalancerNames=some):
            tags = plain_tags(found["Tags"])
            if account.has_own_tags(tags) or account.has_cluster_tag(tags):
                yield found["LoadBalancerName"]


def _addresses(account: Account) -> Iterable[str]:
    """Paid whether used or not, so asked for by their own description as well."""
    filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in account.own_tags.items()]
    return account.ask("ec2", "describe_addresses", "Addresses[].AllocationId", Filters=filters)


def _endpoint_price(facts: Facts) -> list[Line]:
    """Interface endpoints are paid by zone and hour, gateways not at all."""
    zones = len(facts.get("subnets") or []) or 1
    return [Line("endpoint.hour", zones * HOURS)] if facts.get("type") == "Interface" else []


_ELB_TAGS = ("describe_tags", "ResourceArns[]", "TagDescriptions[0].Tags")

BALANCERS = (
    Kind(
        "load balancer",
        look(
            "elbv2",
            "describe_load_balancers",
            "LoadBalancers[0].{name: LoadBalancerName, arn: LoadBalancerArn, detail: Type, type: Type}",
            _ELB_TAGS,
            LoadBalancerArns=["{id}"],
        ),
        _balancers,
        services=("elbv2",),
        terraform="aws_lb",
        arn=r"^(arn:[^:]+:elasticloadbalancing:.*:loadbalancer/(?:app|net|gwy)/.+)$",
        price=flat("alb.hour", HOURS),
        remove="elbv2 delete-load-balancer --load-balancer-arn",
        by_name=False,
    ),
    Kind(
        "target group",
        look(
            "elbv2",
            "describe_target_groups",
            "TargetGroups[0].{name: TargetGroupName, arn: TargetGroupArn}",
            _ELB_TAGS,
            TargetGroupArns=["{id}"],
        ),
        _target_groups,
        services=("elbv2",),
        terraform="aws_lb_target_group",
        arn=r"^(arn:[^:]+:elasticloadbalancing:.*:targetgroup/.+)$",
        remove="elbv2 delete-target-group --target-group-arn",
        by_name=False,
    ),
    Kind(
        "classic load balancer",
        look(
            "elb",
            "describe_load_balancers",
            "LoadBalancerDescriptions[0].{name: LoadBalancerName, arn: LoadBalancerName}",
            ("describe_tags", "LoadBalancerNames[]", "TagDescriptions[0].Tags"),
            LoadBalancerNames=["{id}"],
        ),
        _classic,
        services=("elb",),
        terraform="aws_elb",
        arn=r":elasticloadbalancing:.*:loadbalancer/([^/]+)$",
        price=flat("alb.hour", HOURS),
        remove="elb delete-load-balancer --load-balancer-name",
        by_name=False,
    ),
)

NETWORK = (
    ec2(
        "NAT gateway",
        "natgateway",
        "describe_nat_gateways",
        "NatGateways[?State!='deleted' && State!='failed']|[0].{tags: Tags}",
        "NatGatewayIds",
        terraform="aws_nat_gateway",
        inside="NatGateways[].NatGatewayId",
        price=flat("nat.hour", HOURS),
        remove="delete-nat-gateway --nat-gateway-id",
    ),
    ec2(
        "VPC endpoint",
        "vpc-endpoint",
        "describe_vpc_endpoints",
        "VpcEndpoints[?State!='deleted' && State!='Deleted']|[0]"
        ".{tags: Tags, type: VpcEndpointType, subnets: SubnetIds, detail: ServiceName}",
        "VpcEndpointIds",
        terraform="aws_vpc_endpoint",
        inside="VpcEndpoints[].VpcEndpointId",
        price=_endpoint_price,
        remove="delete-vpc-endpoints --vpc-endpoint-ids",
    ),
    ec2(
        "network interface",
        "network-interface",
        "describe_network_interfaces",
        "NetworkInterfaces[0].{tags: TagSet, detail: Description}",
        "NetworkInterfaceIds",
        terraform="aws_network_interface",
        inside="NetworkInterfaces[].NetworkInterfaceId",
        remove="delete-network-interface --network-interface-id",
        follows=True,
    ),
    ec2(
        "Elastic IP",
        "elastic-ip",
        "describe_addresses",
        "Addresses[0].{tags: Tags, detail: PublicIp}",
        "AllocationIds",
        listing=_addresses,
        terraform="aws_eip",
        price=flat("ipv4.hour", HOURS),
        remove="release-address --allocation-id",
    ),
    ec2(
        "flow log",
        "vpc-flow-log",
        "describe_flow_logs",
        "FlowLogs[0].{tags: Tags, detail: ResourceId}",
        "FlowLogIds",
        terraform="aws_flow_log",
        remove="delete-flow-logs --flow-log-ids",
    ),
    ec2(
        "security group",
        "security-group",
        "describe_security_groups",
        "SecurityGroups[?GroupName!='default']|[0].{tags: Tags, detail: GroupName}",
        "GroupIds",
        terraform="aws_security_group",
        inside="SecurityGroups[].GroupId",
        remove="delete-security-group --group-id",
        follows=True,
    ),
    ec2(
        "subnet",
        "subnet",
        "describe_subnets",
        "Subnets[0].{tags: Tags, detail: CidrBlock}",
        "SubnetIds",
        terraform="aws_subnet",
        inside="Subnets[].SubnetId",
        remove="delete-subnet --subnet-id",
    ),
    ec2(
        "route table",
        "route-table",
        "describe_route_tables",
        "RouteTables[?!(Associations[?Main])]|[0].{tags: Tags}",
        "RouteTableIds",
        terraform="aws_route_table",
        inside="RouteTables[].RouteTableId",
        remove="delete-route-table --route-table-id",
    ),
    ec2(
        "internet gateway",
        "internet-gateway",
        "describe_internet_gateways",
        "InternetGateways[0].{tags: Tags}",
        "InternetGatewayIds",
        terraform="aws_internet_gateway",
        remove="delete-internet-gateway --internet-gateway-id",
    ),
    ec2(
        "VPC",
        "vpc",
        "describe_vpcs",
        "Vpcs[0].{tags: Tags, detail: CidrBlock}",
        "VpcIds",
        terraform="aws_vpc",
        remove="delete-vpc --vpc-id",
    ),
)
