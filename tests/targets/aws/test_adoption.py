"""What stands already and is ours is taken into the state by a plan that would create it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulator
from emulator.planting import OURS, PREFIX, Garden, tag_list
from retailops.progress import Silent
from retailops.targets.aws import adoption
from retailops.targets.aws.session import Session
from retailops.tools.terraform import ResourceChange

QUIET = Silent()


def creating(address: str, **after: Any) -> ResourceChange:
    kind = address.partition(".")[0]
    return ResourceChange(address, kind, "some", ("create",), drifted=False, half_made=False, after=after)


def adopted(tmp_path: Path, session: Session, *planned: ResourceChange) -> dict[str, str]:
    count = adoption.prepare(tmp_path, session, planned, QUIET)
    file = tmp_path / "adopt.tf.json"
    found = {each["to"]: each["id"] for each in json.loads(file.read_text())["import"]} if file.exists() else {}
    assert len(found) == count
    return found


@pytest.fixture
def garden(aws: Emulator) -> Garden:
    return Garden(aws)


def test_a_plan_that_creates_nothing_asks_nothing(tmp_path: Path, session: Session, aws: Emulator) -> None:
    asked: list[str] = []
    aws.answer(lambda request: asked.append(request.service))
    update = ResourceChange("aws_vpc.main", "aws_vpc", "some", ("update",), drifted=True, half_made=False)
    assert adopted(tmp_path, session, update) == {}
    assert asked == []


@pytest.mark.slow
def test_it_is_found_by_its_tag_or_by_its_name(tmp_path: Path, swift: Session, aws: Emulator, garden: Garden) -> None:
    ec2, kms = aws.client("ec2"), aws.client("kms")
    garden.log_group(f"{PREFIX}/etl")
    garden.bucket(f"{PREFIX}-raw-{aws.account}")
    named = {**OURS, "Name": f"{PREFIX}-data"}
    key = kms.create_key(Tags=tag_list(named, "TagKey", "TagValue"))["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=f"alias/{PREFIX}-data", TargetKeyId=key)
    specification = {"ResourceType": "vpc", "Tags": tag_list({**OURS, "Name": PREFIX})}
    network = ec2.create_vpc(CidrBlock="10.20.0.0/16", TagSpecifications=[specification])["Vpc"]["VpcId"]
    found = adopted(
        tmp_path,
        swift,
        creating('aws_cloudwatch_log_group.main["etl"]', name=f"{PREFIX}/etl"),
        creating('aws_s3_bucket.zone["raw"]', bucket=f"{PREFIX}-raw-{aws.account}"),
        creating('aws_kms_key.main["data"]', tags_all=named),
        creating('aws_kms_alias.main["data"]', name=f"alias/{PREFIX}-data"),
        creating("aws_vpc.main", tags_all={**OURS, "Name": PREFIX}),
        creating("aws_vpc.other", tags_all={**OURS, "Name": f"{PREFIX}-other"}),
        creating("aws_ecr_repository.main", name=PREFIX),
    )
    assert found == {
        'aws_cloudwatch_log_group.main["etl"]': f"{PREFIX}/etl",
        'aws_s3_bucket.zone["raw"]': f"{PREFIX}-raw-{aws.account}",
        'aws_kms_key.main["data"]': key,
        'aws_kms_alias.main["data"]': f"alias/{PREFIX}-data",
        "aws_vpc.main": network,
    }


@pytest.mark.slow
def test_of_two_alike_none_is_taken_and_a_neighbours_never(
    tmp_path: Path, swift: Session, aws: Emulator, garden: Garden
) -> None:
    ec2 = aws.client("ec2")
    for _ in range(2):
        specification = {"ResourceType": "vpc", "Tags": tag_list({**OURS, "Name": PREFIX})}
        ec2.create_vpc(CidrBlock="10.20.0.0/16", TagSpecifications=[specification])
    garden.log_group(f"{PREFIX}/etl", {**OURS, "retailops:environment": "dev2"})
    found = adopted(
        tmp_path,
        swift,
        creating("aws_vpc.main", tags_all={**OURS, "Name": PREFIX}),
        creating('aws_cloudwatch_log_group.main["etl"]', name=f"{PREFIX}/etl"),
    )
    assert found == {}


@pytest.mark.slow
def test_routes_and_tables_of_subnets_are_found_in_their_table(tmp_path: Path, swift: Session, aws: Emulator) -> None:
    ec2 = aws.client("ec2")
    network = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=network, CidrBlock="10.20.1.0/24")["Subnet"]["SubnetId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(VpcId=network, InternetGatewayId=gateway)
    table = ec2.create_route_table(VpcId=network)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    found = adopted(
        tmp_path,
        swift,
        creating("aws_route.internet", route_table_id=table, destination_cidr_block="0.0.0.0/0"),
        creating("aws_route.other", route_table_id=table, destination_cidr_block="10.0.0.0/8"),
        creating('aws_route_table_association.public["a"]', route_table_id=table, subnet_id=subnet),
        creating('aws_route_table_association.public["b"]', route_table_id=table, subnet_id="subnet-other"),
    )
    assert found == {
        "aws_route.internet": f"{table}_0.0.0.0/0",
        'aws_route_table_association.public["a"]': f"{subnet}/{table}",
    }


@pytest.mark.slow
def test_ways_of_a_table_that_is_taken_in_itself_follow(tmp_path: Path, swift: Session, aws: Emulator) -> None:
    ec2 = aws.client("ec2")
    network = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(VpcId=network, InternetGatewayId=gateway)
    tags = {**OURS, "Name": f"{PREFIX}-public"}
    specification = {"ResourceType": "route-table", "Tags": tag_list(tags)}
    table = ec2.create_route_table(VpcId=network, TagSpecifications=[specification])["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    whole, way = creating("aws_route_table.public", tags_all=tags), "aws_route.internet"
    assert adopted(tmp_path, swift, whole, creating(way, destination_cidr_block="0.0.0.0/0")) == {whole.address: table}
    known = creating(way, route_table_id=table, destination_cidr_block="0.0.0.0/0")
    assert adoption.follow(tmp_path, swift, [known]) == 1
    written = json.loads((tmp_path / "adopt.tf.json").read_text())["import"]
    assert {each["to"]: each["id"] for each in written} == {whole.address: table, way: f"{table}_0.0.0.0/0"}


@pytest.mark.slow
def test_a_launch_template_and_a_trail_are_found_by_their_names(
    tmp_path: Path, swift: Session, aws: Emulator, garden: Garden
) -> None:
    garden.bucket(f"{PREFIX}-trail-{aws.account}")
    made = aws.client("cloudtrail").create_trail(
        Name=PREFIX, S3BucketName=f"{PREFIX}-trail-{aws.account}", TagsList=tag_list(OURS)
    )
    template = aws.client("ec2").create_launch_template(
        LaunchTemplateName=f"{PREFIX}-node",
        LaunchTemplateData={"InstanceType": "t3.small"},
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": tag_list(OURS)}],
    )["LaunchTemplate"]["LaunchTemplateId"]
    found = adopted(
        tmp_path,
        swift,
        creating("aws_cloudtrail.main", name=PREFIX),
        creating("aws_launch_template.node", name=f"{PREFIX}-node"),
    )
    assert found == {"aws_cloudtrail.main": made["TrailARN"], "aws_launch_template.node": template}
