"""Rights: what is missing is named before anything is made, and the printed policy is enough."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulator, Request, Response, grounds
from emulator.acting import Actor, without
from emulator.planting import Garden
from emulator.recording import recorded
from retailops.config import Config
from retailops.errors import RetailOpsError
from retailops.lifecycle import doctor as lifecycle
from retailops.ports import Finding, Run
from retailops.progress import Silent
from retailops.retail import synth
from retailops.retail.synth import SynthOptions
from retailops.targets.aws import permissions
from retailops.targets.aws.doctor import AwsDoctor
from retailops.targets.aws.infra import AwsInfra
from retailops.targets.aws.lake import AwsLake
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.models import AwsModels
from retailops.targets.aws.packages import Packages
from retailops.targets.aws.removal import AwsRemoval
from retailops.targets.aws.session import Session

pytestmark = pytest.mark.slow  # each asks many services of the emulator

EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@pytest.fixture
def actor(aws: Emulator, monkeypatch: pytest.MonkeyPatch) -> Actor:
    return Actor(aws, monkeypatch)


@pytest.fixture
def policy(session: Session) -> dict[str, Any]:
    """What `doctor --policy` prints for the account's default project."""
    return dict(AwsDoctor(session).policy())


@pytest.fixture
def rights(configured: Callable[[str], Config]) -> Callable[[], dict[str, Finding]]:
    """The doctor's findings on rights, of whoever this process is by then."""

    def look() -> dict[str, Finding]:
        session = Session(configured(""))
        return {each.check: each for each in AwsDoctor(session).rights(Silent())}

    return look


def refused(findings: dict[str, Finding]) -> set[str]:
    """The actions that were named."""
    lines = [line for each in findings.values() if each.state == "failed" for line in each.what.splitlines()[1:]]
    return {line.split()[0] for line in lines}


def test_with_the_printed_policy_nothing_is_missing(
    actor: Actor, policy: dict[str, Any], rights: Callable[[], dict[str, Finding]]
) -> None:
    actor.user(policy)
    found = rights()
    assert {each.state for each in found.values()} == {"ok"}
    assert set(found) == {f"rights: {area}" for area in policy}


WRITES = [
    "autoscaling:CreateOrUpdateTags",
    "ec2:CreateNatGateway",
    "ec2:DeleteVpc",
    "glue:CreateJob",
    "iam:PassRole",
    "kms:ScheduleKeyDeletion",
    "logs:CreateLogGroup",
    "s3:DeleteObjectVersion",
]


@pytest.mark.parametrize("action", WRITES)
def test_one_missing_write_right_is_named_and_no_other(
    actor: Actor, policy: dict[str, Any], rights: Callable[[], dict[str, Finding]], action: str
) -> None:
    actor.user(without(policy, action))
    found = rights()
    assert refused(found) == {action}
    failed = next(each for each in found.values() if each.state == "failed")
    assert "no policy allows it" in failed.what
    assert f"--policy --area {failed.check.removeprefix('rights: ')}" in failed.fix


def test_doctor_names_it_and_has_made_nothing(
    actor: Actor, policy: dict[str, Any], aws: Emulator, configured: Callable[[str], Config]
) -> None:
    from retailops import targets

    actor.user(without(policy, "eks:CreateCluster"))
    asked: list[Request] = []
    aws.answer(asked.append)
    outcome = lifecycle.doctor(targets.open_target(configured("")), Silent())
    assert outcome.failed is not None and outcome.failed.code == 3
    assert "rights: cluster" in outcome.failed.what
    named = next(each for each in outcome.result["findings"] if each["check"] == "rights: cluster")
    assert "eks:CreateCluster on *: no policy allows it" in named["what"]
    assert "eks:DeleteCluster" not in named["what"]
    writes = [operation for each in asked if not (operation := _operation(each)).startswith(READS)]
    assert len(asked) > 100 and not writes


READS = ("Describe", "List", "Get", "Head", "Simulate", "GET", "HEAD")


def _operation(request: Request) -> str:
    return request.target.rpartition(".")[2] or request.form.get("Action", "") or request.method


@pytest.mark.parametrize("path", ["/", "/teams/data/"])
def test_a_session_is_judged_by_its_role(
    actor: Actor, policy: dict[str, Any], rights: Callable[[], dict[str, Finding]], path: str
) -> None:
    actor.role(without(policy, "glue:CreateDatabase"), path=path)
    assert refused(rights()) == {"glue:CreateDatabase"}


def test_an_explicit_deny_wins_and_is_told_as_such(actor: Actor, rights: Callable[[], dict[str, Finding]]) -> None:
    deny = {"Effect": "Deny", "Action": "iam:CreateOpen*", "Resource": "*"}
    actor.user({"all": {**EVERYTHING, "Statement": [*EVERYTHING["Statement"], deny]}})
    found = rights()
    assert refused(found) == {"iam:CreateOpenIDConnectProvider"}
    assert "a policy denies it explicitly" in found["rights: roles"].what
    assert "removed" in found["rights: roles"].fix and "--policy" not in found["rights: roles"].fix


def test_a_boundary_that_leaves_something_out_is_told_as_such(
    actor: Actor, rights: Callable[[], dict[str, Finding]]
) -> None:
    narrow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "NotAction": "ecr:*", "Resource": "*"}]}
    actor.role({"all": EVERYTHING}, boundary=narrow)
    found = rights()
    assert {action.partition(":")[0] for action in refused(found)} == {"ecr"}
    assert "the permissions boundary doesn't allow it" in found["rights: storage"].what
    assert "boundary" in found["rights: storage"].fix


def test_the_organisations_policy_is_told_as_such(
    actor: Actor, aws: Emulator, rights: Callable[[], dict[str, Finding]]
) -> None:
    actor.user({"all": EVERYTHING})

    def forbidden(request: Request) -> Response | None:
        if request.form.get("Action") != "SimulatePrincipalPolicy" or "eks:CreateCluster" not in request.form.values():
            return None
        result = (
            "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><EvaluationResults><member>"
            "<EvalActionName>eks:CreateCluster</EvalActionName><EvalResourceName>*</EvalResourceName>"
            "<EvalDecision>implicitDeny</EvalDecision><OrganizationsDecisionDetail><AllowedByOrganizations>false"
            "</AllowedByOrganizations></OrganizationsDecisionDetail></member></EvaluationResults>"
            "</SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
        )
        return Response(result.encode(), 200, {"Content-Type": "text/xml"})

    aws.answer(forbidden)
    found = rights()
    assert "eks:CreateCluster on *: a service control policy" in found["rights: cluster"].what
    assert "organisation" in found["rights: cluster"].fix


def test_who_may_not_simulate_is_told_so(
    actor: Actor, policy: dict[str, Any], rights: Callable[[], dict[str, Finding]]
) -> None:
    actor.user(without(policy, "iam:SimulatePrincipalPolicy"))
    (only,) = rights().values()
    assert only.state == "warning"
    assert "iam:SimulatePrincipalPolicy" in only.what
    assert "doctor --policy" in only.fix


def test_the_root_user_cannot_be_simulated(aws: Emulator, rights: Callable[[], dict[str, Finding]]) -> None:
    arn = f"arn:aws:iam::{aws.account}:root"
    body = (
        f"<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>{arn}</Arn><UserId>1</UserId>"
        f"<Account>{aws.account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
    is_identity = "GetCallerIdentity"
    aws.answer(
        lambda request: (
            Response(body.encode(), 200, {"Content-Type": "text/xml"})
            if request.form.get("Action") == is_identity
            else None
        )
    )
    (only,) = rights().values()
    assert only.state == "warning" and "can't simulate" in only.what


def test_another_projects_policy_is_not_enough(
    actor: Actor, configured: Callable[[str], Config], rights: Callable[[], dict[str, Finding]]
) -> None:
    other = Session(configured("project: {name: other-shop}"))
    actor.user(dict(AwsDoctor(other).policy()))
    configured("")
    missing = refused(rights())
    assert {"s3:CreateBucket", "ec2:CreateVpc", "iam:CreateRole", "eks:DescribeCluster"} <= missing


def test_the_policy_needs_no_credentials_when_the_account_is_known(
    aws: Emulator, configured: Callable[[str], Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    printed = AwsDoctor(Session(configured('aws: {account: "210987654321"}'))).policy()
    assert "arn:aws:s3:::retail-demo-dev-*-210987654321" in json.dumps(printed)


def test_the_audit_of_an_account_full_of_orphans_stays_within_the_table(aws: Emulator, swift: Session) -> None:
    Garden(aws).orphans()
    with recorded(aws) as actions:
        left = AwsRemoval(swift, AwsInfra(swift)).left()
    assert len(left) == 12 and len(actions) > 40
    assert actions <= allowed(swift)


def test_removing_what_terraform_does_not_know_stays_within_the_table(aws: Emulator, swift: Session) -> None:
    garden = Garden(aws)
    garden.orphans()
    garden.target_group("forgotten", {"elbv2.k8s.aws/cluster": swift.names.prefix})
    with recorded(aws) as actions, suppress(RetailOpsError):  # without a state there is nothing for Terraform
        AwsRemoval(swift, AwsInfra(swift)).remove(Silent())
    assert {"sagemaker:DeleteEndpoint", "elasticloadbalancing:DeleteTargetGroup"} <= actions
    assert actions <= allowed(swift)


def test_the_lake_and_the_registry_stay_within_the_table(
    aws: Emulator, swift: Session, tmp_path: Path, make_run: Callable[..., Run]
) -> None:
    grounds.lay(aws)
    mirror, cut = Mirror(swift), []
    models, big = AwsModels(mirror, Packages(swift)), mirror.folder("raw", "k", "big.csv")
    big.parent.mkdir(parents=True)
    big.write_bytes(bytes(20 << 20))
    synth.write(tmp_path / "weeks", SynthOptions(baskets=20, weeks=1), Silent())

    def expired(request: Request) -> Response | None:
        if "partNumber=3" not in request.query or cut:
            return None
        cut.append(request)
        return Response(b"<Error><Code>ExpiredToken</Code></Error>", 400, {"Content-Type": "application/xml"})

    aws.answer(expired)
    with recorded(aws) as actions:
        with suppress(RetailOpsError):
            mirror.push(big)
        mirror.push(big)
        mirror.fetch(big.parent)
        mirror.remove([big])
        AwsLake(mirror).put(tmp_path / "weeks", Silent())
        models.add(make_run())
        assert models.runs() and models.versions()
    assert {"s3:ListMultipartUploadParts", "s3:DeleteObject", "sagemaker:CreateModelPackage"} <= actions
    assert actions <= allowed(swift)


def allowed(session: Session) -> set[str]:
    return {action for right in permissions.rights(session.names, session.settings) for action in right.actions}
