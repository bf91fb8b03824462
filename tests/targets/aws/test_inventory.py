"""The audit: what of the project still stands, what only seems to, and what merely looks alike."""

from __future__ import annotations

import json

import pytest

from emulator import Emulator, Request, Response
from emulator.planting import OURS, PREFIX, Garden, tag_list, tagged
from retailops.errors import TargetFailed
from retailops.ports import Change
from retailops.progress import Silent
from retailops.targets.aws.infra import AwsInfra
from retailops.targets.aws.inventory.kinds import BY_NAME, KINDS, kind_of
from retailops.targets.aws.removal import AwsRemoval
from retailops.targets.aws.session import Session

pytestmark = pytest.mark.slow  # each asks many services of the emulator

# What the twelve orphans cost a month in ap-southeast-1, by hand: hours × 730, GB × price.
MONTHLY = {
    "EBS volume": 9.60,  # 100 GB × 0.096
    "Elastic IP": 3.65,  # 0.005
    "NAT gateway": 43.07,  # 0.059
    "load balancer": 18.40,  # 0.0252
    "SageMaker endpoint": 105.12,  # ml.m5.large, 0.144
    "KMS key": 1.00,
    "EC2 instance": 38.54,  # t3.medium, 0.0528
    "snapshot": 1.50,  # 30 GB × 0.05
    "log group": 0,
    "S3 bucket": 0,  # six bytes
    "ECR repository": 0,  # forty kilobytes
    "SNS topic": 0,
}


class Notes(Silent):
    def __init__(self) -> None:
        self.told: list[str] = []

    def note(self, text: str) -> None:
        self.told.append(text)


@pytest.fixture
def garden(aws: Emulator) -> Garden:
    return Garden(aws)


@pytest.fixture
def removal(swift: Session) -> AwsRemoval:
    return AwsRemoval(swift, AwsInfra(swift))


def named(changes: list[Change]) -> set[tuple[str, str]]:
    return {(change.kind, change.name) for change in changes}


def test_an_empty_account_has_nothing_left(removal: AwsRemoval, aws: Emulator) -> None:
    assert removal.left() == []
    assert removal.removals() == []


def test_twelve_orphans_of_twelve_kinds_are_twelve_with_their_prices(removal: AwsRemoval, garden: Garden) -> None:
    planted = garden.orphans()
    assert len({plant.kind for plant in planted}) == 12
    left = removal.left()
    assert named(left) == {(plant.kind, plant.name) for plant in planted}
    assert len(left) == 12
    assert {change.kind: change.monthly_usd for change in left} == pytest.approx(MONTHLY, abs=0.005)
    assert all(change.priced and change.action == "left" for change in left)
    assert all(change.fix.startswith("aws --region ap-southeast-1 ") for change in left)
    for plant in planted:
        plant.pull()
    assert removal.left() == []


def test_those_that_were_removed_are_left_no_more_and_the_others_are(removal: AwsRemoval, garden: Garden) -> None:
    planted = garden.orphans()
    for plant in planted[::2]:
        plant.pull()
    assert named(removal.left()) == {(plant.kind, plant.name) for plant in planted[1::2]}


@pytest.mark.parametrize(
    "other",
    [
        {**OURS, "retailops:environment": "dev2"},
        {**OURS, "retailops:environment": "dev-2"},
        {**OURS, "retailops:project": "retail"},
        {"team": "shop"},
    ],
    ids=["dev2", "dev-2", "another project", "nobody's"],
)
def test_what_merely_looks_alike_is_nobody_s_business_of_ours(
    removal: AwsRemoval, garden: Garden, other: dict[str, str]
) -> None:
    # a name that is exactly ours, with tags that say otherwise, or no name of ours and no tags of ours
    ours_by_name = "retailops:project" in other
    garden.volume(other)
    garden.key(other)
    garden.bucket(f"{PREFIX}-raw-123456789012" if ours_by_name else "retail-demo-development-123456789012", other)
    garden.log_group(f"{PREFIX}/etl" if ours_by_name else "retail-demo-development/etl", other)
    garden.endpoint(f"{PREFIX}-2-api" if ours_by_name else f"{PREFIX}2-api", other)
    assert removal.left() == []
    assert removal.removals() == []


def test_a_neighbour_s_untagged_things_are_known_by_its_state_bucket(removal: AwsRemoval, aws: Emulator) -> None:
    cloudwatch = aws.client("cloudwatch")  # a dashboard has no tags
    cloudwatch.put_dashboard(DashboardName=f"{PREFIX}-2", DashboardBody='{"widgets": []}')
    assert named(removal.left()) == {("dashboard", f"{PREFIX}-2")}, "without a neighbour it could only be ours"
    Garden(aws).bucket(f"{PREFIX}-2-tfstate-{aws.account}", {**OURS, "retailops:environment": "dev-2"})
    assert removal.left() == []


def test_a_thing_that_tags_tell_of_but_its_service_doesn_t_is_gone(
    removal: AwsRemoval, garden: Garden, aws: Emulator
) -> None:
    nat = garden.nat()
    nat.pull()
    tags = aws.client("resourcegroupstaggingapi").get_resources()["ResourceTagMappingList"]
    assert any(nat.name in each["ResourceARN"] for each in tags), "the emulator is as forgetful as AWS"
    assert removal.left() == []


def test_a_thing_that_tags_don_t_tell_of_is_found_by_its_name(
    removal: AwsRemoval, garden: Garden, aws: Emulator
) -> None:
    garden.repository()
    tags = aws.client("resourcegroupstaggingapi").get_resources()["ResourceTagMappingList"]
    assert not any(":ecr:" in each["ResourceARN"] for each in tags)
    assert [change.kind for change in removal.left()] == ["ECR repository"]


def test_what_hangs_untagged_in_our_network_is_ours(removal: AwsRemoval, aws: Emulator) -> None:
    ec2 = aws.client("ec2")
    network = ec2.create_vpc(CidrBlock="10.20.0.0/16", TagSpecifications=tagged("vpc"))["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=network, CidrBlock="10.20.0.0/24")["Subnet"]["SubnetId"]
    nat = ec2.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")["NatGateway"]["NatGatewayId"]
    left = removal.left()
    assert {("VPC", network), ("subnet", subnet), ("NAT gateway", nat)} <= named(left)
    assert not [change for change in left if change.kind == "security group"], "the default group goes with its network"


def test_a_key_that_waits_for_its_end_is_a_note_and_not_left(
    removal: AwsRemoval, garden: Garden, aws: Emulator
) -> None:
    key = garden.key()
    key.pull()
    notes = Notes()
    assert removal.left(progress=notes) == []
    assert [key.name in told and "costs nothing" in told for told in notes.told] == [True]


def test_a_kind_that_no_table_knows_is_left_without_a_price(removal: AwsRemoval, aws: Emulator) -> None:
    aws.client("dynamodb").create_table(
        TableName="anything",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=tag_list(),
    )
    (change,) = removal.left()
    assert change.kind == "unknown"
    assert not change.priced and "price unknown" in change.detail
    assert "table/anything" in change.fix


def test_a_machine_type_without_a_price_says_so(removal: AwsRemoval, aws: Emulator) -> None:
    ec2 = aws.client("ec2")
    image = ec2.describe_images()["Images"][0]["ImageId"]
    ec2.run_instances(
        ImageId=image, InstanceType="x1.32xlarge", MinCount=1, MaxCount=1, TagSpecifications=tagged("instance")
    )
    (change,) = removal.left()
    assert not change.priced and "price unknown" in change.detail


def test_a_right_that_is_missing_is_no_clean_bill(removal: AwsRemoval, aws: Emulator) -> None:
    def deny(request: Request) -> Response | None:
        if request.service != "ecr":
            return None
        return Response(json.dumps({"__type": "AccessDeniedException", "message": "no"}).encode(), 400)

    aws.answer(deny)
    with pytest.raises(TargetFailed, match=r"Asking ecr to describe repositories.*AccessDenied"):
        removal.left()


ARNS = {
    "arn:aws:ec2:r:1:natgateway/nat-1": ("NAT gateway", "nat-1"),
    "arn:aws:elasticloadbalancing:r:1:loadbalancer/app/x/1": (
        "load balancer",
        "arn:aws:elasticloadbalancing:r:1:loadbalancer/app/x/1",
    ),
    "arn:aws:elasticloadbalancing:r:1:loadbalancer/x": ("classic load balancer", "x"),
    "arn:aws:eks:r:1:cluster/a-b": ("EKS cluster", "a-b"),
    "arn:aws:eks:r:1:nodegroup/a-b/spot/uuid": ("node group", "a-b/spot"),
    "arn:aws:eks:r:1:addon/a-b/vpc-cni/uuid": ("EKS add-on", "a-b/vpc-cni"),
    "arn:aws:logs:r:1:log-group:/aws/eks/a-b/cluster": ("log group", "/aws/eks/a-b/cluster"),
    "arn:aws:logs:r:1:log-group:a-b/etl:*": ("log group", "a-b/etl"),
    "arn:aws:s3:::a-b-raw-1": ("S3 bucket", "a-b-raw-1"),
    "arn:aws:sns:r:1:a-b": ("SNS topic", "arn:aws:sns:r:1:a-b"),
    "arn:aws:kms:r:1:key/k": ("KMS key", "k"),
    "arn:aws:sagemaker:r:1:model-package-group/a-b": ("model package group", "a-b"),
    "arn:aws:sagemaker:r:1:model-package/a-b/1": ("model package", "arn:aws:sagemaker:r:1:model-package/a-b/1"),
    "arn:aws:sagemaker:r:1:endpoint-config/a-b": ("endpoint config", "a-b"),
    "arn:aws:cloudwatch:r:1:alarm:a-b": ("alarm", "a-b"),
    "arn:aws:events:r:1:rule/a-b": ("EventBridge rule", "a-b"),
    "arn:aws:iam::1:role/path/a-b": ("IAM role", "a-b"),
}


@pytest.mark.parametrize("arn", ARNS)
def test_an_arn_leads_to_its_kind(arn: str) -> None:
    found = kind_of(arn)
    assert found is not None
    assert (found[0].name, found[1]) == ARNS[arn]


def test_a_part_of_something_is_no_thing_of_its_own() -> None:
    assert kind_of("arn:aws:ec2:r:1:security-group-rule/sgr-1") is None


def test_every_kind_is_declared_once_with_the_command_that_removes_it() -> None:
    assert len(BY_NAME) == len(KINDS)
    assert not [kind.name for kind in KINDS if not kind.remove]
    assert not [kind.name for kind in KINDS if not (kind.listing or kind.ec2 or kind.arn)]
