"""Teardown: in the order that works, of nothing that isn't ours, and going on where it was cut short."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from emulator import Emulator, Request, Response
from emulator.cluster_api import ClusterApi
from emulator.estate import KEPT, Estate
from emulator.planting import OURS, PREFIX
from retailops.errors import TargetFailed, UsageError
from retailops.progress import Silent
from retailops.targets.aws.balancers import Patience
from retailops.targets.aws.removal import AwsRemoval
from retailops.targets.aws.session import Session

pytestmark = pytest.mark.slow  # each asks many services of the emulator

QUIET = Silent()
HURRY = Patience(controller=0.0, network=0.0, look=0.01)
OF_CLUSTER = {"elbv2.k8s.aws/cluster": PREFIX}
NEIGHBOUR = {**OURS, "retailops:environment": "dev2"}


@pytest.fixture
def estate(aws: Emulator) -> Estate:
    return Estate(aws)


@pytest.fixture
def removal(swift: Session, estate: Estate) -> AwsRemoval:
    return AwsRemoval(swift, estate.infra, HURRY)  # type: ignore[arg-type]


@pytest.fixture
def api(estate: Estate) -> Iterator[ClusterApi]:
    with ClusterApi() as running:
        estate.cluster(running.url)
        yield running


def operation(request: Request) -> str:
    """`sagemaker:DeleteEndpoint`, `s3:DELETE`, of what changes anything; else ""."""
    name = request.target.rpartition(".")[2] or request.form.get("Action", "")
    if request.service == "s3":
        name = "DELETE" if request.method == "DELETE" or request.query.startswith("delete") else ""
    elif request.service == "eks":
        name = ""
    changes = name.startswith(("Delete", "Stop", "Schedule", "Revoke")) or name == "DELETE"
    return f"{request.service}:{name}" if changes else ""


@pytest.fixture
def changes(aws: Emulator) -> list[str]:
    """What was asked to go, in order."""
    asked: list[str] = []

    def listen(request: Request) -> Response | None:
        if operation(request):
            asked.append(operation(request) + (f" {request.path}" if request.service == "s3" else ""))
        return None

    aws.answer(listen)
    return asked


def test_everything_goes_in_the_order_that_works(
    removal: AwsRemoval, estate: Estate, api: ClusterApi, changes: list[str]
) -> None:
    estate.build()
    estate.garden.balancer("k8s-shop-api", OF_CLUSTER)
    api.ingresses["api"] = "shop"
    estate.infra.before = lambda: changes.append("terraform destroy")
    announced = removal.removals()
    assert {"load balancer", "SageMaker endpoint", "training job", "S3 bucket", "log group", "KMS key"} <= {
        change.kind for change in announced
    }
    removal.remove(QUIET)
    assert removal.left() == []
    assert api.ingresses == {}
    wanted = [
        "elasticloadbalancing:DeleteLoadBalancer",
        "sagemaker:DeleteEndpoint",
        "sagemaker:DeleteEndpointConfig",
        "sagemaker:DeleteModel",
        "sagemaker:StopTrainingJob",
        "sagemaker:DeleteModelPackage",
        f"s3:DELETE /{estate.name('raw')}",
        "terraform destroy",
        f"s3:DELETE /{estate.name('tfstate')}",
        "logs:DeleteLogGroup",
    ]
    positions = [changes.index(each) for each in wanted]
    assert positions == sorted(positions), changes
    changes.clear()
    removal.remove(QUIET)
    assert changes == ["terraform destroy"], "twice is harmless"


def test_the_controller_is_left_to_do_it_when_it_can(
    removal: AwsRemoval, estate: Estate, api: ClusterApi, changes: list[str], swift: Session
) -> None:
    balancer = estate.garden.balancer("k8s-shop-api", OF_CLUSTER)
    api.ingresses["api"] = "shop"
    api._controller = lambda name: balancer.pull()
    patient = AwsRemoval(swift, estate.infra, Patience(controller=30.0, network=0.0, look=0.01))  # type: ignore[arg-type]
    patient.remove(QUIET)
    asked = [each for each in changes if each == "elasticloadbalancing:DeleteLoadBalancer"]
    assert len(asked) == 1, "the controller's own call, none of ours"


def test_a_cluster_that_can_t_be_reached_is_no_hindrance(removal: AwsRemoval, estate: Estate) -> None:
    estate.cluster("http://127.0.0.1:9")
    estate.garden.balancer("k8s-shop-api", OF_CLUSTER)
    estate.garden.target_group("k8s-shop-api", OF_CLUSTER)
    removal.remove(QUIET)
    assert removal.left() == []


def test_what_belongs_to_a_neighbour_stands_afterwards(removal: AwsRemoval, estate: Estate, aws: Emulator) -> None:
    estate.build()
    garden = estate.garden
    garden.bucket(f"{PREFIX}2-raw-{aws.account}", NEIGHBOUR)
    garden.bucket(f"{PREFIX}2-tfstate-{aws.account}", NEIGHBOUR)
    garden.balancer("k8s-neighbour", {"elbv2.k8s.aws/cluster": f"{PREFIX}2"})
    garden.endpoint(f"{PREFIX}2-api", NEIGHBOUR)
    garden.log_group(f"{PREFIX}2/etl", NEIGHBOUR)
    garden.log_group(f"/aws/eks/{PREFIX}2/cluster", {})
    estate.job(f"{PREFIX}2-train", NEIGHBOUR)
    garden.volume(NEIGHBOUR)
    removal.remove(QUIET)
    assert removal.left() == []
    assert len(aws.client("s3").list_buckets()["Buckets"]) == 2
    assert len(aws.client("s3").list_object_versions(Bucket=f"{PREFIX}2-raw-{aws.account}")["Versions"]) == 3
    assert len(aws.client("elbv2").describe_load_balancers()["LoadBalancers"]) == 1
    assert len(aws.client("sagemaker").list_endpoints()["Endpoints"]) == 1
    assert len(aws.client("logs").describe_log_groups()["logGroups"]) == 2
    jobs = aws.client("sagemaker").list_training_jobs(StatusEquals="InProgress")["TrainingJobSummaries"]
    assert [job["TrainingJobName"] for job in jobs] == [f"{PREFIX}2-train"]


def test_a_kept_bucket_writes_no_access_log_any_more(removal: AwsRemoval, estate: Estate, aws: Emulator) -> None:
    estate.lake()
    s3, raw = aws.client("s3"), estate.name("raw")
    principal = {"Service": "logging.s3.amazonaws.com"}
    there = f"arn:aws:s3:::{estate.name('logs')}/*"
    allowed = {"Effect": "Allow", "Principal": principal, "Action": "s3:PutObject", "Resource": there}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    s3.put_bucket_policy(Bucket=estate.name("logs"), Policy=policy)
    written = {"TargetBucket": estate.name("logs"), "TargetPrefix": "access/raw/"}
    s3.put_bucket_logging(Bucket=raw, BucketLoggingStatus={"LoggingEnabled": written})
    removal.remove(QUIET, {"data"})
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=raw)


def test_our_bucket_s_name_with_another_s_tags_is_not_touched(removal: AwsRemoval, estate: Estate) -> None:
    other = {**OURS, "retailops:project": "retail", "retailops:environment": "demo-dev"}  # the same prefix
    estate.garden.bucket(estate.name("raw"), other)
    removal.remove(QUIET)
    found = estate.aws.client("s3").list_object_versions(Bucket=estate.name("raw"))
    assert len(found["Versions"]) == 3


@pytest.mark.parametrize("at", [0, 2, 4, 6, 9, 13, 17, 21])
def test_a_teardown_cut_short_anywhere_goes_on(removal: AwsRemoval, estate: Estate, aws: Emulator, at: int) -> None:
    estate.build()
    estate.garden.balancer("k8s-shop-api", OF_CLUSTER)
    count = 0

    def cut(request: Request) -> Response | None:
        nonlocal count
        count += bool(operation(request))
        if count <= at or not operation(request):
            return None
        body = json.dumps({"__type": "AccessDeniedException", "message": "cut short"})
        if request.service in ("s3", "elasticloadbalancing"):
            body = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
        return Response(
            body.encode(), 403, {"Content-Type": "text/xml" if body.startswith("<") else "application/json"}
        )

    aws.answer(cut)
    with pytest.raises(Exception, match=r"cut short|AccessDenied|no"):
        removal.remove(QUIET)
    aws.hooks.remove(cut)
    removal.remove(QUIET)
    assert removal.left() == []


def test_kept_data_stays_readable_and_is_told_with_its_price(
    removal: AwsRemoval, estate: Estate, aws: Emulator
) -> None:
    estate.build()
    keep = {"data"}
    going = {(change.kind, change.name) for change in removal.removals(keep)}
    assert ("S3 bucket", estate.name("logs")) in going
    assert ("S3 bucket", estate.name("raw")) not in going
    removal.remove(QUIET, keep)
    assert 'aws_s3_bucket.zone["raw"]' in estate.infra.forgotten
    assert 'aws_s3_bucket_versioning.zone["models"]' in estate.infra.forgotten
    assert 'aws_kms_key.main["data"]' in estate.infra.forgotten
    assert 'aws_s3_bucket.zone["logs"]' not in estate.infra.forgotten
    kept = removal.left(keep)
    assert {change.action for change in kept} == {"kept"}
    assert {change.name for change in kept if change.kind == "S3 bucket"} == {estate.name(zone) for zone in KEPT}
    assert {change.kind: change.monthly_usd for change in kept}["KMS key"] == 1.0
    s3 = aws.client("s3")
    assert len(s3.list_object_versions(Bucket=estate.name("gold"))["Versions"]) == 3
    assert {change.action for change in removal.left()} == {"left"}, "without --keep they are left"
    removal.remove(QUIET)
    assert removal.left() == [], "a later teardown takes them too"


def test_only_data_can_be_kept(removal: AwsRemoval) -> None:
    with pytest.raises(UsageError, match="--keep models: only data can be kept"):
        removal.removals({"models"})


def test_what_came_back_while_terraform_worked_is_cleared_once_more(removal: AwsRemoval, estate: Estate) -> None:
    estate.build()
    s3 = estate.aws.client("s3")

    def late() -> None:
        """An access log is delivered when the bucket has been emptied already."""
        if estate.infra.destroyed == 1:
            s3.put_object(Bucket=estate.name("logs"), Key="late", Body=b"x")
            raise TargetFailed("BucketNotEmpty: the bucket you tried to delete is not empty")

    estate.infra.before = late
    removal.remove(QUIET)
    assert estate.infra.destroyed == 2
    assert removal.left() == []


def test_a_destroy_that_fails_with_nothing_in_its_way_is_told(removal: AwsRemoval, estate: Estate) -> None:
    def refuse() -> None:
        raise TargetFailed("AccessDenied", "a right is missing")

    estate.infra.before = refuse
    with pytest.raises(TargetFailed, match="AccessDenied"):
        removal.remove(QUIET)
    assert estate.infra.destroyed == 1


def test_the_state_s_bucket_stays_while_something_is_left(removal: AwsRemoval, estate: Estate) -> None:
    estate.state()
    orphan = estate.garden.volume()
    removal.remove(QUIET)
    names = [each["Name"] for each in estate.aws.client("s3").list_buckets()["Buckets"]]
    assert names == [estate.name("tfstate")]
    orphan.pull()
    removal.remove(QUIET)
    assert removal.left() == []


def test_tables_of_the_feature_store_go_and_a_neighbour_s_stay(removal: AwsRemoval, estate: Estate) -> None:
    glue = estate.aws.client("glue")
    glue.create_database(DatabaseInput={"Name": "sagemaker_featurestore"})

    def table(name: str, bucket: str) -> None:
        place: dict[str, Any] = {"StorageDescriptor": {"Location": f"s3://{bucket}/features/1/r/offline-store/x/data"}}
        glue.create_table(DatabaseName="sagemaker_featurestore", TableInput={"Name": name, **place})

    table("retail_demo_dev_store_1", estate.name("gold"))
    table("retail_demo_dev2_store_1", f"{PREFIX}2-gold-{estate.aws.account}")
    assert [change.kind for change in removal.left()] == ["feature table"]
    removal.remove(QUIET)
    tables = glue.get_tables(DatabaseName="sagemaker_featurestore")["TableList"]
    assert [each["Name"] for each in tables] == ["retail_demo_dev2_store_1"]
    assert removal.left() == []


def test_security_groups_of_load_balancers_go_although_the_nodes_refer_to_them(
    removal: AwsRemoval, estate: Estate
) -> None:
    ec2 = estate.aws.client("ec2")
    network = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    made = ec2.create_security_group(GroupName="k8s-shop", Description="of a load balancer", VpcId=network)["GroupId"]
    ec2.create_tags(Resources=[made], Tags=[{"Key": "elbv2.k8s.aws/cluster", "Value": PREFIX}])
    nodes = ec2.create_security_group(GroupName="nodes", Description="somebody's", VpcId=network)["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "UserIdGroupPairs": [{"GroupId": made}]}
    ec2.authorize_security_group_ingress(GroupId=nodes, IpPermissions=[rule])
    removal.remove(QUIET)
    groups = {each["GroupName"] for each in ec2.describe_security_groups()["SecurityGroups"]}
    assert "k8s-shop" not in groups and "nodes" in groups
