"""The doctor's checks of the account, the region and the machine, each against a state that it must tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from emulator import Emulator, Request, Response
from emulator.quotas import answer
from retailops.config import Config
from retailops.ports import Finding
from retailops.progress import Silent
from retailops.targets.aws import identity, kubernetes_versions, machine, network, place, quotas
from retailops.targets.aws.doctor import AwsDoctor
from retailops.targets.aws.kubernetes_versions import SUPPORT, judged
from retailops.targets.aws.session import Session

pytestmark = pytest.mark.slow  # each asks many services of the emulator

Configured = Callable[[str], Config]


@pytest.fixture
def opened(aws: Emulator, configured: Configured) -> Callable[[str], Session]:
    """The session of a config whose aws section holds this."""
    return lambda text="": Session(configured(f"aws: {{{text}}}"))


def by_check(findings: list[Finding]) -> dict[str, Finding]:
    return {each.check: each for each in findings}


# credentials


def test_without_credentials_what_depends_on_them_is_skipped(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    found = by_check(list(AwsDoctor(session).findings(Silent())))
    assert found["credentials"].state == "failed" and "aws sso login" in found["credentials"].fix
    assert found["terraform"].state == "ok"
    for check in ("region", "machines", "quota", "rights", "state", "bucket names"):
        assert (found[check].state, found[check].what) == ("skipped", "needs usable credentials")


def test_credentials_of_another_account_fail_and_nothing_more_is_asked(
    aws: Emulator, opened: Callable[[str], Session]
) -> None:
    asked: list[Request] = []
    aws.answer(asked.append)
    found = by_check(list(AwsDoctor(opened('account: "999999999999"')).findings(Silent())))
    assert found["credentials"].state == "failed" and "999999999999" in found["credentials"].what
    assert found["rights"].state == "skipped"
    assert {each.service for each in asked} == {"sts"}


def test_exported_credentials_that_soon_expire_are_told(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=20)
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", soon.isoformat())
    first, second = identity.credentials(session)
    assert first.state == "ok"
    assert second.state == "warning" and f"{soon:%H:%M} UTC" in second.what


def test_exported_credentials_that_have_expired_fail(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", "2020-01-01T00:00:00Z")
    (only,) = identity.credentials(session)
    assert only.state == "failed" and "expired" in only.what


# region


def test_the_region_tells_its_zones_in_terraforms_order(opened: Callable[[str], Session]) -> None:
    (found,) = place.region(opened("zones: 3"))
    assert found.state == "ok"
    assert found.what == "ap-southeast-1: ap-southeast-1a, ap-southeast-1b, ap-southeast-1c"


def test_too_few_zones_fail(opened: Callable[[str], Session]) -> None:
    (found,) = place.region(opened("zones: 3, region: us-west-1"))
    assert found.state == "failed" and "3 are wanted" in found.what


def test_a_region_that_nobody_knows_is_told(opened: Callable[[str], Session]) -> None:
    (found,) = place.known(opened("region: xx-nowhere-9"))
    assert found.state == "warning" and "knows no region xx-nowhere-9" in found.what
    assert list(place.known(opened("region: ap-southeast-1"))) == []


def test_a_region_that_aws_refuses_fails(aws: Emulator, opened: Callable[[str], Session]) -> None:
    error = (
        "<Response><Errors><Error><Code>InvalidParameterValue</Code><Message>no</Message></Error></Errors></Response>"
    )
    refused = Response(error.encode(), 400, {"Content-Type": "text/xml"})
    aws.answer(lambda request: refused if request.form.get("Action") == "DescribeRegions" else None)
    (found,) = place.region(opened(""))
    assert found.state == "failed" and "AWS knows no region ap-southeast-1" in found.what


def test_a_region_that_is_not_enabled_fails_and_the_rest_of_it_is_skipped(
    aws: Emulator, opened: Callable[[str], Session]
) -> None:
    body = (
        "<DescribeRegionsResponse><regionInfo><item><regionName>ap-southeast-3</regionName>"
        "<optInStatus>not-opted-in</optInStatus></item></regionInfo></DescribeRegionsResponse>"
    )
    aws.answer(lambda request: _xml(body) if request.form.get("Action") == "DescribeRegions" else None)
    found = by_check(list(AwsDoctor(opened("region: ap-southeast-3")).findings(Silent())))
    assert found["region"].state == "failed" and "enable-region" in found["region"].fix
    assert found["quota"].state == "skipped"


def test_a_type_of_machine_that_the_region_lacks_fails(opened: Callable[[str], Session]) -> None:
    (found,) = place.machine_types(opened("nodes: {types: [t3.medium, t9.huge]}"))
    assert found.state == "failed" and found.what.startswith("t9.huge can't be had in")


def test_a_type_that_one_zone_lacks_is_a_warning(aws: Emulator, opened: Callable[[str], Session]) -> None:
    body = (
        "<DescribeInstanceTypeOfferingsResponse><instanceTypeOfferingSet><item><instanceType>t3.medium</instanceType>"
        "<location>ap-southeast-1a</location></item></instanceTypeOfferingSet></DescribeInstanceTypeOfferingsResponse>"
    )
    aws.answer(lambda request: _xml(body) if request.form.get("Action") == "DescribeInstanceTypeOfferings" else None)
    (found,) = place.machine_types(opened("nodes: {types: [t3.medium]}"))
    assert found.state == "warning" and "t3.medium not in ap-southeast-1b" in found.what


# names and state


def test_a_bucket_name_that_somebody_else_has_fails(aws: Emulator, session: Session) -> None:
    taken = session.names.bucket("gold")
    aws.answer(lambda request: Response(b"", 403) if taken in request.path and request.method == "HEAD" else None)
    (found,) = place.bucket_names(session)
    assert found.state == "failed" and taken in found.what and session.names.bucket("raw") not in found.what


def test_a_bucket_of_ours_in_another_region_fails(aws: Emulator, session: Session) -> None:
    name = session.names.bucket("gold")
    there = Response(b"", 200, {"x-amz-bucket-region": "eu-west-1"})
    aws.answer(lambda request: there if name in request.path and request.method == "HEAD" else None)
    (found,) = place.bucket_names(session)
    assert found.state == "failed" and "another region" in found.what


def test_our_own_buckets_are_counted(aws: Emulator, session: Session) -> None:
    where = {"LocationConstraint": aws.region}
    aws.client("s3").create_bucket(Bucket=session.names.bucket("raw"), CreateBucketConfiguration=where)
    (found,) = place.bucket_names(session)
    assert (found.state, found.what) == ("ok", "7 free, 1 ours already")


def test_names_too_long_for_s3_fail(aws: Emulator, configured: Configured) -> None:
    long = Session(configured(f"project: {{name: {'p' * 32}, environment: {'e' * 16}}}"))
    (found,) = place.bucket_names(long)
    assert found.state == "failed" and "63 letters" in found.what


def test_a_held_lock_is_told_with_its_holder(aws: Emulator, session: Session) -> None:
    bucket, s3 = session.names.state_bucket, aws.client("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})
    lock = {"ID": "1", "Who": "ann@desk", "Created": "2026-11-25T10:00:00Z", "Operation": "OperationTypeApply"}
    s3.put_object(Bucket=bucket, Key=f"{session.names.state_key}.tflock", Body=json.dumps(lock))
    (found,) = place.lock(session)
    assert found.state == "warning" and "ann@desk" in found.what and "unlock" in found.fix


# networks


def test_another_network_with_the_same_addresses_is_told_and_our_own_is_not(aws: Emulator, session: Session) -> None:
    ec2 = aws.client("ec2")
    other = ec2.create_vpc(CidrBlock="10.20.128.0/20")["Vpc"]["VpcId"]
    tags = [{"Key": key, "Value": value} for key, value in session.tags.items()]
    ours = ec2.create_vpc(CidrBlock="10.20.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": tags}])
    (found,) = network.clashes(session)
    assert found.state == "warning" and f"{other} (10.20.128.0/20)" in found.what
    assert ours["Vpc"]["VpcId"] not in found.what


@pytest.mark.parametrize(
    ("text", "check", "state", "says"),
    [
        ("", "addresses", "ok", "10.20.0.0/16"),
        ("vpc_cidr: 172.17.0.0/16", "addresses", "warning", "Docker"),
        ("vpc_cidr: 172.20.0.0/18", "addresses", "warning", "EKS"),
        ("vpc_cidr: 10.100.16.0/20", "addresses", "warning", "EKS"),
        ("vpc_cidr: 169.254.0.0/16", "addresses", "failed", "isn't a private network"),
        ("", "api access", "warning", "empty"),
        ("api_cidrs: [203.0.113.4/32]", "api access", "ok", "203.0.113.4/32"),
        ("api_cidrs: [203.0.113.4/32, 10.1.0.0/16]", "api access", "failed", "10.1.0.0/16"),
        ("api_cidrs: [11.0.0.0/8]", "api access", "warning", "11.0.0.0/8"),
    ],
)
def test_addresses_are_judged_without_asking_aws(
    configured: Configured, text: str, check: str, state: str, says: str
) -> None:
    found = by_check(list(network.addresses(configured(f"aws: {{{text}}}").settings("aws"))))[check]
    assert found.state == state and says in found.what
    assert bool(found.fix) == (state != "ok")


# versions


@pytest.mark.parametrize(
    ("version", "day", "state", "says"),
    [
        ("1.35", date(2027, 1, 25), "ok", "until 2027-03-27"),
        ("1.35", date(2027, 1, 26), "warning", "ends on 2027-03-27"),
        ("1.35", date(2027, 3, 26), "warning", "ends on 2027-03-27"),
        ("1.35", date(2027, 3, 27), "failed", "left standard support on 2027-03-27"),
        ("1.99", date(2027, 1, 1), "failed", "isn't among the versions"),
    ],
)
def test_a_version_is_judged_by_the_day_on_which_its_support_ends(
    version: str, day: date, state: str, says: str
) -> None:
    found = judged(version, SUPPORT, "EKS", day)
    assert found.state == state and says in found.what
    assert found.fix == ("" if state == "ok" else 'Set aws.kubernetes: "1.36".')


def test_what_eks_says_of_its_versions_comes_before_our_table(aws: Emulator, session: Session) -> None:
    body = {
        "clusterVersions": [
            {"clusterVersion": "1.35", "endOfStandardSupportDate": 1e9, "endOfExtendedSupportDate": 2e9},
            {"clusterVersion": "1.41", "endOfStandardSupportDate": 4e9, "endOfExtendedSupportDate": 5e9},
        ]
    }
    asked = "/cluster-versions"
    aws.answer(lambda request: Response(json.dumps(body).encode()) if request.path == asked else None)
    (found,) = kubernetes_versions.kubernetes_version(session)
    assert found.state == "failed" and "2001-09-09" in found.what and "(EKS)" in found.what
    assert found.fix == 'Set aws.kubernetes: "1.41".'


def test_the_table_stands_in_when_eks_cannot_be_asked(session: Session) -> None:
    (found,) = kubernetes_versions.kubernetes_version(session, date(2026, 11, 25))
    assert found.state == "ok" and "the table of" in found.what


# quotas


def test_quotas_that_suffice_are_told_with_their_numbers(session: Session) -> None:
    found = by_check(list(quotas.quotas(session)))
    assert {each.state for each in found.values()} == {"ok"}
    assert found["quota: networks"].what == "1 of 5 used, 1 more needed"  # a region's default network counts
    assert found["quota: spot vCPUs"].what == "0 of 32 used, 6 more needed"
    assert "spot training job usage: 4" in found["quota: training"].what


def test_a_quota_of_fewer_machines_than_train_together_is_a_warning(opened: Callable[[str], Session]) -> None:
    found = by_check(list(quotas.quotas(opened("training: {instances: 5}"))))["quota: training"]
    assert found.state == "warning" and "spot training job usage: 4" in found.what
    assert "--desired-value 5" in found.fix


def test_an_endpoint_needs_room_for_what_an_update_puts_beside_it(aws: Emulator, configured: Configured) -> None:
    text = "deploy: {{engine: sagemaker}}\naws: {{endpoint: {{instances_max: {}}}}}\n"
    (enough, few) = (
        by_check(list(quotas.quotas(Session(configured(text.format(most))))))["quota: training"] for most in (2, 3)
    )
    assert enough.state == "ok" and "ml.m5.large for endpoint usage: 4" in enough.what
    assert few.state == "warning" and "--desired-value 6" in few.fix


def test_a_quota_that_is_used_up_fails_and_says_how_to_raise_it(aws: Emulator, session: Session) -> None:
    for number in range(4):
        aws.client("ec2").create_vpc(CidrBlock=f"10.{30 + number}.0.0/16")
    found = by_check(list(quotas.quotas(session)))["quota: networks"]
    assert found.state == "failed" and found.what == "5 of 5 used, 1 more needed"
    assert "--quota-code L-F678F1CE --desired-value 6 --region ap-southeast-1" in found.fix


def test_what_stands_of_ours_already_needs_no_more(aws: Emulator, session: Session) -> None:
    tags = [{"Key": key, "Value": value} for key, value in session.tags.items()]
    aws.client("ec2").create_vpc(CidrBlock="10.20.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": tags}])
    found = by_check(list(quotas.quotas(session)))["quota: networks"]
    assert found.what == "2 of 5 used, 0 more needed"


def test_machines_that_run_count_by_how_they_are_paid(aws: Emulator, session: Session) -> None:
    ec2 = aws.client("ec2")
    image = ec2.describe_images(Owners=["amazon"], MaxResults=5)["Images"][0]["ImageId"]
    ec2.run_instances(ImageId=image, InstanceType="m5.2xlarge", MinCount=1, MaxCount=1)
    found = by_check(list(quotas.quotas(session)))
    assert found["quota: on-demand vCPUs"].what == "8 of 32 used, 2 more needed"
    assert found["quota: spot vCPUs"].what == "0 of 32 used, 6 more needed"


def test_gateways_are_counted_in_their_fullest_zone(aws: Emulator, opened: Callable[[str], Session]) -> None:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.30.0.0/16")["Vpc"]["VpcId"]
    for number, zone in enumerate("aab"):
        place = {"VpcId": vpc, "CidrBlock": f"10.30.{number}.0/24", "AvailabilityZone": f"ap-southeast-1{zone}"}
        subnet = ec2.create_subnet(**place)["Subnet"]["SubnetId"]
        ec2.create_nat_gateway(SubnetId=subnet, AllocationId=ec2.allocate_address(Domain="vpc")["AllocationId"])
    found = by_check(list(quotas.quotas(opened("nat: per-az"))))
    assert found["quota: NAT gateways"].what == "2 of 5 used, 1 more needed"
    assert found["quota: elastic IPs"].what == "3 of 5 used, 2 more needed"


def test_an_account_without_spot_fails_and_one_without_training_is_warned(aws: Emulator, session: Session) -> None:
    def none(request: Request) -> Response | None:
        if request.target.endswith(".GetServiceQuota") and b"L-34B43A08" in request.body:
            return answer("L-34B43A08", 0)
        if request.target.endswith(".ListServiceQuotas"):
            name = "ml.m5.large for spot training job usage"
            return Response(json.dumps({"Quotas": [{"QuotaCode": "L-X", "QuotaName": name, "Value": 0}]}).encode())
        return None

    aws.answer(none)
    found = by_check(list(quotas.quotas(session)))
    assert found["quota: spot vCPUs"].state == "failed"
    assert found["quota: training"].state == "warning" and "--quota-code L-X" in found["quota: training"].fix


def test_a_check_that_may_not_look_is_a_warning_and_the_others_go_on(aws: Emulator, session: Session) -> None:
    denied = {"__type": "AccessDeniedException", "Message": "no servicequotas:GetServiceQuota for you"}
    aws.answer(
        lambda request: Response(json.dumps(denied).encode(), 400) if request.service == "servicequotas" else None
    )
    found = by_check(list(AwsDoctor(session).findings(Silent())))
    assert found["quota"].state == "warning" and "servicequotas:GetServiceQuota" in found["quota"].what
    assert "doctor --policy" in found["quota"].fix
    assert "rights" in found and found["state"].state == "ok"


# this machine


@pytest.fixture
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """A PATH that holds one small program and nothing else."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def put(name: str, says: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\necho '{says}'\n")
        (folder / name).chmod(0o755)

    return put


def test_a_machine_without_terraform_fails_and_says_where_to_get_it(only: Callable[[str, str], None]) -> None:
    found = by_check(list(machine.machine()))
    assert found["terraform"].state == "failed" and "developer.hashicorp.com" in found["terraform"].fix
    assert found["kubectl"].state == found["docker"].state == "skipped"


def test_an_old_terraform_fails(only: Callable[[str, str], None]) -> None:
    only("terraform", json.dumps({"terraform_version": "1.9.8"}))
    found = by_check(list(machine.machine()))["terraform"]
    assert found.state == "failed" and "1.9.8 is too old" in found.what


def test_the_sdks_are_there_in_wanted_versions() -> None:
    found = by_check(list(machine.machine()))["libraries"]
    assert found.state == "ok" and "boto3" in found.what and "kubernetes" in found.what


def _xml(body: str) -> Response:
    return Response(body.encode(), 200, {"Content-Type": "text/xml"})
