"""The whole stack in an emulated account, by the command line and the real provider: interrupted, looked at, removed.

One story in the order of its tests, since each step takes the provider a minute. What is looked at is asked of AWS's
own API, not of Terraform.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from moto.kms.models import kms_backends

import retailops
from emulator import Emulator, Executor, grounds
from emulator.recording import recorded
from emulator.server import Request, Response
from retailops import config as configuration
from retailops import targets
from retailops.targets.aws import permissions
from retailops.targets.aws.session import Session

pytestmark = pytest.mark.slow

PREFIX = "retail-demo-dev"
ZONES = ("raw", "silver", "gold", "models", "quarantine", "logs")
TAGS = {
    "retailops:project": "retail-demo",
    "retailops:environment": "dev",
    "retailops:managed-by": "retailops",
    "retailops:owner": "data-team",
}


@dataclass(frozen=True)
class Stack:
    """An account, and the folder of a project in it."""

    aws: Emulator
    folder: Path
    environment: dict[str, str]
    asked: set[str]  # IAM actions, of everything that was called

    def start(self, *words: str, folder: Path | None = None, target: str = "aws") -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "retailops", *words, "--target", target, "--json"]
        return subprocess.Popen(
            command,
            cwd=folder or self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, code: int = 0, folder: Path | None = None, target: str = "aws") -> dict[str, Any]:
        """The one JSON object of a command line that must end with `code`."""
        process = self.start(*words, folder=folder, target=target)
        out, err = process.communicate()
        assert process.returncode == code, f"{words}\n{out[-3000:]}\n{err[-3000:]}"
        found: dict[str, Any] = json.loads(out)
        return found

    def client(self, service: str) -> Any:
        return self.aws.client(service)

    @property
    def keys(self) -> set[str]:
        """All of KMS's, told by moto itself: a list is a right that nothing of ours needs."""
        return set(kms_backends[self.aws.account][self.aws.region].keys)

    def made(self) -> int:
        """How many resources Terraform has made in the run that is under way."""
        log = self.folder / ".retailops-aws" / "logs" / "apply.jsonl"
        return log.read_text().count('"type":"apply_complete"') if log.exists() else 0


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, terraform_environment: dict[str, str]) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    (folder / "retail.yaml").write_text("project: {owner: data-team}\naws: {alarm_email: team@example.com}\n")
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RETAILOPS_"))}
    with Emulator() as aws:
        aws.reset()  # moto's accounts are the process's: tests before this one had the same
        with recorded(aws) as asked:
            yield Stack(aws, folder, {**ours, **terraform_environment, **aws.environment}, asked)


def wait(condition: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def test_the_plan_comes_with_its_price_and_creates_nothing(stack: Stack) -> None:
    planned = stack.run("infra", "plan", "--expires", "8h")
    kinds = {change["kind"] for change in planned["changes"]}
    assert {"vpc", "eks_cluster", "eks_node_group", "nat_gateway", "s3_bucket", "kms_key", "ecr_repository"} <= kinds
    assert planned["result"]["created"] == len(planned["changes"]) > 100
    assert 0 < planned["result"]["monthly_usd"] <= 250
    assert stack.client("s3").list_buckets()["Buckets"] == []
    dear = stack.run("infra", "up", "--yes", code=4, folder=_dear(stack))
    assert "--allow-over-budget" in dear["error"]["fix"]
    assert stack.client("s3").list_buckets()["Buckets"] == []


def _dear(stack: Stack) -> Path:
    folder = stack.folder / "dear"
    folder.mkdir()
    (folder / "retail.yaml").write_text("cost: {monthly_budget_usd: 100}\n")
    return folder


def test_interrupted_in_the_middle_refused_to_a_second_and_run_again_it_converges(stack: Stack) -> None:
    on = threading.Event()

    def hold_the_cluster(request: Request) -> Response | None:
        """However quick or slow this machine is: the first run is in the middle for as long as is looked at it."""
        if (request.service, request.method, request.path) == ("eks", "POST", "/clusters"):
            on.wait(300)
        return None

    stack.aws.answer(hold_the_cluster)
    first = stack.start("infra", "up", "--yes", "--expires", "8h")
    wait(lambda: stack.made() >= 15, first)
    other = stack.folder / "somebody-else"
    other.mkdir()
    (other / "retail.yaml").write_text("project: {owner: data-team}\n")
    refused = stack.run("infra", "up", "--yes", code=3, folder=other)
    assert "Somebody else is working on this infrastructure" in refused["error"]["what"]
    assert "@" in refused["error"]["what"] and "since" in refused["error"]["what"]
    here = stack.run("infra", "up", "--yes", code=3)
    assert "Another command is busy with this: infra up" in here["error"]["what"]
    first.send_signal(signal.SIGINT)
    out, err = first.communicate(timeout=300)
    on.set()  # AWS makes the cluster, whoever has stopped waiting for it
    assert first.returncode == 130, out + err
    assert "run this again" in json.loads(out)["error"]["fix"].lower()
    before = stack.made()
    done = stack.run("infra", "up", "--yes", "--expires", "8h")
    assert before >= 15
    assert done["result"]["created"] > 10, "what needs the cluster, at least"
    assert "replace" not in {change["action"] for change in done["changes"]}, "what was begun is finished, not repeated"
    assert len(stack.keys) == 2
    assert stack.client("eks").describe_cluster(name=PREFIX)["cluster"]["status"] == "ACTIVE"


def test_every_bucket_is_versioned_encrypted_and_closed(stack: Stack) -> None:
    s3 = stack.client("s3")
    names = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    assert names == {f"{PREFIX}-{zone}-{stack.aws.account}" for zone in (*ZONES, "trail", "tfstate")}
    for name in names:
        assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled", name
        assert all(s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values()), name
        (rule,) = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
        algorithm = rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]
        # Access logs are delivered only to S3's own encryption, and the state is older than any key.
        assert algorithm == ("AES256" if "-logs-" in name or "-tfstate-" in name else "aws:kms"), name
        policy = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])
        assert any(_denies_plain_http(statement) for statement in policy["Statement"]), name


def _denies_plain_http(statement: dict[str, Any]) -> bool:
    return statement["Effect"] == "Deny" and statement.get("Condition", {}).get("Bool") == {
        "aws:SecureTransport": "false"
    }


def test_keys_rotate_and_the_trail_writes(stack: Stack) -> None:
    kms = stack.client("kms")
    for alias in ("data", "platform"):
        key = kms.describe_key(KeyId=f"alias/{PREFIX}-{alias}")["KeyMetadata"]["KeyId"]
        assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]
    assert stack.client("cloudtrail").get_trail_status(Name=PREFIX)["IsLogging"]


def test_nodes_are_private_and_go_out_through_one_nat(stack: Stack) -> None:
    ec2, eks = stack.client("ec2"), stack.client("eks")
    cluster = eks.describe_cluster(name=PREFIX)["cluster"]
    assert cluster["resourcesVpcConfig"]["endpointPublicAccess"] is False
    assert cluster["encryptionConfig"][0]["resources"] == ["secrets"]
    groups = [eks.describe_nodegroup(clusterName=PREFIX, nodegroupName=name) for name in _groups(stack)]
    assert {each["nodegroup"]["capacityType"] for each in groups} == {"ON_DEMAND", "SPOT"}
    subnets = {subnet for each in groups for subnet in each["nodegroup"]["subnets"]}
    assert len(subnets) == 2
    (nat,) = _nats(stack)
    for subnet in subnets:
        tables = ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])
        (table,) = tables["RouteTables"]
        ways = {route["DestinationCidrBlock"]: route for route in table["Routes"] if "DestinationCidrBlock" in route}
        assert ways["0.0.0.0/0"]["NatGatewayId"] == nat["NatGatewayId"]
        assert "GatewayId" not in ways["0.0.0.0/0"]
    for group in ec2.describe_security_groups()["SecurityGroups"]:
        if group["VpcId"] == cluster["resourcesVpcConfig"]["vpcId"]:
            assert not [rule for rule in group["IpPermissions"] if {"CidrIp": "0.0.0.0/0"} in rule["IpRanges"]]


def test_no_role_may_do_everything_to_everything(stack: Stack) -> None:
    iam = stack.client("iam")
    roles = [each["RoleName"] for page in iam.get_paginator("list_roles").paginate() for each in page["Roles"]]
    ours = [name for name in roles if name.startswith(PREFIX)]
    assert len(ours) >= 8
    for role in ours:
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            for statement in document["Statement"]:
                actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
                resources = statement["Resource"]
                wild = [action for action in actions if "*" in action]
                assert not (wild and resources in ("*", ["*"])), f"{role}: {wild}"


def test_what_is_paid_for_carries_the_tags(stack: Stack) -> None:
    ec2 = stack.client("ec2")
    found = {
        "cluster": stack.client("eks").describe_cluster(name=PREFIX)["cluster"]["tags"],
        "network": _tags(ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["false"]}])["Vpcs"][0]["Tags"]),
        "nat": _tags(_nats(stack)[0]["Tags"]),
        "lake": _tags(stack.client("s3").get_bucket_tagging(Bucket=f"{PREFIX}-raw-{stack.aws.account}")["TagSet"]),
    }
    for what, tags in found.items():
        assert tags.items() >= TAGS.items(), what
        assert tags["retailops:expires"].endswith("Z"), what


def test_status_tells_the_lease_and_drift_by_its_name(stack: Stack) -> None:
    quiet = stack.run("infra", "status")["result"]
    assert quiet["resources"] > 100
    assert not quiet["expired"] and quiet["expires"]
    assert quiet["drift"] == []
    stack.client("s3").put_bucket_versioning(
        Bucket=f"{PREFIX}-gold-{stack.aws.account}", VersioningConfiguration={"Status": "Suspended"}
    )
    (drift,) = stack.run("infra", "status")["result"]["drift"]
    assert 'aws_s3_bucket_versioning.zone["gold"]' in drift
    assert "changed outside of retailops" in drift
    assert stack.run("infra", "up", "--yes")["result"]["updated"] == 1
    assert stack.run("infra", "status")["result"]["expires"] == quiet["expires"], "the lease stays as it was"


def test_a_plan_that_would_lose_data_is_refused(stack: Stack) -> None:
    text = (stack.folder / "retail.yaml").read_text()
    (stack.folder / "retail.yaml").write_text(text.replace("aws: {", "aws: {vpc_cidr: 10.40.0.0/16, "))
    refused = stack.run("infra", "up", "--yes", code=4)
    assert "aws_vpc.main" in refused["error"]["what"]
    assert "--allow-replace" in refused["error"]["fix"]
    (stack.folder / "retail.yaml").write_text(text)
    assert stack.client("eks").describe_cluster(name=PREFIX)["cluster"]["status"] == "ACTIVE"


def test_what_was_made_although_the_answer_got_lost_is_taken_in(stack: Stack) -> None:
    budgets = stack.client("budgets")
    where = {"AccountId": stack.aws.account, "BudgetName": f"{PREFIX}-monthly"}
    budgets.delete_budget(**where)
    lost: list[dict[str, Any]] = []

    def lose_the_first(request: Request) -> Response | None:
        """Make it, and fail: the provider asks again and is told that it exists."""
        if not request.target.endswith(".CreateBudget") or lost:
            return None
        lost.append(json.loads(request.body))
        budgets.create_budget(AccountId=stack.aws.account, Budget=lost[0]["Budget"])
        return Response(b"{}", 500)

    stack.aws.answer(lose_the_first)
    stack.run("infra", "up", "--yes")
    assert lost, "the budget was made again"
    assert budgets.describe_budget(**where)["Budget"]["BudgetName"] == f"{PREFIX}-monthly"
    assert stack.run("infra", "status")["result"]["drift"] == []


def test_a_lost_state_is_made_again_from_what_stands(stack: Stack) -> None:
    networks = stack.client("ec2").describe_vpcs()["Vpcs"]
    keys = stack.keys
    stack.client("s3").delete_object(Bucket=f"{PREFIX}-tfstate-{stack.aws.account}", Key="infra/terraform.tfstate")
    done = stack.run("infra", "up", "--yes")
    assert "replace" not in {change["action"] for change in done["changes"]}
    assert stack.client("ec2").describe_vpcs()["Vpcs"] == networks
    assert stack.keys == keys
    assert stack.run("infra", "status")["result"]["drift"] == []


def test_the_life_up_to_a_version_is_the_one_of_a_laptop(stack: Stack, synthetic_csvs: Path, tmp_path: Path) -> None:
    (tmp_path / "retail.yaml").write_text(
        f"project: {{owner: data-team}}\ndata: {{input: {synthetic_csvs}}}\n"
        "train: {algorithms: [decision_tree, xgboost]}\naws: {alarm_email: team@example.com}\n"
    )
    grounds.push(stack.aws, f"worker-{retailops.__version__}-{'0' * 12}")  # what `image build --worker` would push
    with Executor(stack.aws, tmp_path / "machines") as machines:
        there = stack.run("run", "--until", "register", "--yes", folder=tmp_path)["result"]
        assert len(machines.runs) == 3, "ETL, features, training"
        again = stack.run("run", "--until", "register", "--yes", folder=tmp_path)["result"]
        assert len(machines.runs) == 3, "what is done isn't done again"
    here = stack.run("run", "--until", "register", "--yes", folder=tmp_path, target="local")["result"]
    assert there["etl"]["dataset"] == here["etl"]["dataset"]
    assert there["etl"]["rows"] == here["etl"]["rows"]
    for found in ("runs", "scorecards", "baselines"):
        assert there["train"][found] == here["train"][found], found
    assert there["register"]["version"] == again["register"]["version"] == here["register"]["version"] == 1
    assert {row["stage"] for row in again["stages"] if row["skipped"]} >= {"infra", "etl", "features", "train"}


def test_parked_nothing_is_paid_by_the_hour_but_the_cluster_and_awake_it_is_as_before(stack: Stack) -> None:
    stack.run("park", "--yes")
    assert _groups(stack) == [] and _nats(stack) == []
    assert stack.run("infra", "status")["result"]["parked"]
    stack.run("infra", "up", "--yes")
    assert _groups(stack) == [], "up leaves it parked"
    stack.run("wake", "--yes")
    assert len(_groups(stack)) == 2 and len(_nats(stack)) == 1


def test_teardown_may_spare_the_data_and_a_plan_takes_it_in_again(stack: Stack) -> None:
    raw = f"{PREFIX}-raw-{stack.aws.account}"
    stack.client("s3").put_object(Bucket=raw, Key="week.csv", Body=b"rows")
    done = stack.run("teardown", "--yes", "--keep", "data")
    assert done["result"]["left"] == []
    assert {each["kind"] for each in done["result"]["kept"]} == {"S3 bucket", "KMS key", "KMS alias"}
    assert stack.client("eks").list_clusters()["clusters"] == []
    assert stack.client("s3").get_object(Bucket=raw, Key="week.csv")["Body"].read() == b"rows"
    planned = stack.run("infra", "plan")["changes"]
    made = {change["name"] for change in planned if change["kind"] == "s3_bucket" and change["action"] == "create"}
    assert made == {f"{PREFIX}-{zone}-{stack.aws.account}" for zone in ("logs", "trail", "tfstate")}


def test_teardown_leaves_nothing_and_the_audit_says_so(stack: Stack) -> None:
    done = stack.run("teardown", "--yes")
    assert done["result"]["left"] == []
    assert done["result"]["removed"] >= 5, "the buckets of the lake at least"
    assert stack.client("s3").list_buckets()["Buckets"] == []
    again = stack.run("teardown", "--yes")
    assert (again["result"]["removed"], again["result"]["left"]) == (0, [])


def test_the_whole_life_needed_no_right_that_the_policy_lacks(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stack.aws.environment.items():
        monkeypatch.setenv(name, value)
    path = stack.folder / "retail.yaml"
    config = configuration.load(path, targets=targets.settings(), algorithms=["xgboost"], environ={})
    session = Session(config)
    rights = permissions.rights(session.names, session.settings)
    allowed = {action for right in rights for action in right.actions} | {"sts:GetCallerIdentity"}
    assert len(stack.asked) > 150
    by_the_machines = {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}  # with the jobs' own role
    assert stack.asked <= allowed | by_the_machines, sorted(stack.asked - allowed)


def _groups(stack: Stack) -> list[str]:
    found: list[str] = stack.client("eks").list_nodegroups(clusterName=PREFIX)["nodegroups"]
    return found


def _nats(stack: Stack) -> list[dict[str, Any]]:
    found = stack.client("ec2").describe_nat_gateways()["NatGateways"]
    return [each for each in found if each["State"] == "available"]


def _tags(listed: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in listed}
