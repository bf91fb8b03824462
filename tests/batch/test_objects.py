"""What Kubernetes is told of an ETL: valid for every version of EKS, restricted, bounded, and closed to all others."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from retailops import errors
from retailops.batch.agreed import VERDICTS
from retailops.batch.carried import TEMPLATES, Carried
from retailops.batch.objects import Order, manifests
from retailops.config import Config
from retailops.errors import ConfigError
from retailops.manifests.objects import dig
from retailops.ports import Job
from retailops.targets.aws.kubernetes_versions import READ, SUPPORT
from retailops.targets.aws.workload import AWS_CHECKS, NAMES_AND_HTTPS

VERSIONS = [version for version, support in SUPPORT.items() if f"{support.standard}" > READ]
IMAGE = f"registry.example.org/retailops@sha256:{'a' * 64}"
ROLE = "arn:aws:iam::123456789012:role/shop-dev-etl"
PARAMETERS = {"memory_mb": 700, "threads": 2, "max_quarantined": 0.01, "labelled": True}


def on_eks(**more: Any) -> Order:
    return Order(
        "shop-etl-k1", "retailops", "k1", IMAGE, ["python"], ["etl", f"--parameters={json.dumps(PARAMETERS)}"],
        5 << 30, ROLE, NAMES_AND_HTTPS, {"AWS_DEFAULT_REGION": "eu-west-1"}, **more,
    )  # fmt: skip


@pytest.fixture
def carried(configured: Callable[..., Config], tmp_path: Path) -> list[Mapping[str, Any]]:
    (tmp_path / "rows.csv").write_text("1")
    config = configured()
    job = Job("etl", "k1", {"source": tmp_path / "rows.csv"}, PARAMETERS)
    order = Carried(config, "shop-dev", None, None).order(job, IMAGE)  # type: ignore[arg-type]  # nothing is asked
    return objects(config, order, "a token")


@pytest.fixture
def eks(configured: Callable[..., Config]) -> list[Mapping[str, Any]]:
    return objects(configured(), on_eks(), "")


def objects(config: Config, order: Order, token: str) -> list[Mapping[str, Any]]:
    found = manifests(config, order, TEMPLATES, token, AWS_CHECKS)
    return [each for manifest in found for each in manifest.objects]


def of(found: list[Mapping[str, Any]], kind: str) -> Mapping[str, Any]:
    (one,) = [each for each in found if each["kind"] == kind]
    return one


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("which", ["carried", "eks"])
def test_it_is_valid_for_every_version(request: pytest.FixtureRequest, which: str, version: str) -> None:
    found = request.getfixturevalue(which)
    kinds = ["Namespace", "ServiceAccount", "NetworkPolicy", "Job"]
    assert [each["kind"] for each in found] == (kinds if which == "eks" else [kinds[0], "Secret", *kinds[1:]])
    for each in found:
        assert kubernetes_validate.validate(each, version, strict=True) == version
    job = json.loads(json.dumps(of(found, "Job")))
    job["spec"]["template"]["spec"]["restartPolice"] = "Never"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, version, strict=True)


def test_on_eks_it_has_its_role_calls_aws_alone_and_nobody_calls_it(eks: list[Mapping[str, Any]]) -> None:
    account, policy, pod = (
        of(eks, "ServiceAccount"),
        of(eks, "NetworkPolicy"),
        of(eks, "Job")["spec"]["template"]["spec"],
    )
    assert account["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": ROLE}
    assert policy["spec"]["ingress"] == [] and policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    ports = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
    assert ports == {53, 443}
    assert pod["serviceAccountName"] == "etl" and pod["automountServiceAccountToken"] is False
    assert pod["containers"][0]["env"] == [{"name": "AWS_DEFAULT_REGION", "value": "eu-west-1"}]
    assert "ports" not in pod["containers"][0]


def test_elsewhere_it_has_no_role_calls_nobody_and_knows_its_caller(carried: list[Mapping[str, Any]]) -> None:
    policy, pod = of(carried, "NetworkPolicy"), of(carried, "Job")["spec"]["template"]["spec"]
    assert "annotations" not in of(carried, "ServiceAccount")["metadata"]
    assert policy["spec"]["egress"] == []
    assert policy["spec"]["ingress"] == [{"ports": [{"port": "carriage", "protocol": "TCP"}]}]
    assert of(carried, "Secret")["stringData"] == {"token": "a token"}
    assert "a token" not in json.dumps(of(carried, "Job")), "whoever may read Jobs doesn't read it"
    assert {"name": "token", "secret": {"secretName": "shop-etl-k1"}} in pod["volumes"]
    assert "env" not in pod["containers"][0]


@pytest.mark.parametrize("which", ["carried", "eks"])
def test_it_is_bounded_in_all_it_takes_and_ends_by_itself(request: pytest.FixtureRequest, which: str) -> None:
    job = of(request.getfixturevalue(which), "Job")["spec"]
    pod = job["template"]["spec"]
    resources = pod["containers"][0]["resources"]
    assert resources["limits"]["memory"] == resources["requests"]["memory"] == "1212Mi"  # etl.memory_mb and 512
    assert resources["limits"]["cpu"] == "2" and resources["requests"]["cpu"] == "1000m"
    disk = {"carried": "2048Mi", "eks": f"{4 * 5 * 1024 + 1024}Mi"}[which]
    assert resources["limits"]["ephemeral-storage"] == disk
    sizes = {each["name"]: dig(each, "emptyDir", "sizeLimit") for each in pod["volumes"] if "emptyDir" in each}
    assert sizes == {"data": disk, "tmp": "64Mi"}
    assert (job["activeDeadlineSeconds"], job["backoffLimit"], job["ttlSecondsAfterFinished"]) == (7200, 3, 86_400)
    assert pod["restartPolicy"] == "Never"


def test_what_is_not_tried_again_are_the_errors_that_stay_the_same(eks: list[Mapping[str, Any]]) -> None:
    (rule,) = of(eks, "Job")["spec"]["podFailurePolicy"]["rules"]
    assert rule["action"] == "FailJob" and tuple(rule["onExitCodes"]["values"]) == VERDICTS
    again = {errors.RetailOpsError.code, errors.TargetFailed.code, errors.Interrupted.code}
    assert {*VERDICTS} == {*errors.BY_CODE} - again


def test_a_faulty_one_is_not_sent(configured: Callable[..., Config]) -> None:
    order = on_eks()
    for changed, check in ((order.image.partition("@")[0], "digest"), (order.image, "argument variable")):
        wrong = Order(**{**vars(order), "image": changed, "arguments": ["$(NOBODY)"] if check != "digest" else []})
        with pytest.raises(ConfigError, match=check):
            objects(configured(), wrong, "")
