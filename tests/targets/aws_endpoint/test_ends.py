"""Teardown leaves nothing of an endpoint and its images; rights for all of it; and the commands a person types."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from emulator import Emulator, grounds
from emulator.estate import Builder, Estate
from emulator.planting import PREFIX, Garden
from emulator.recording import recorded
from retailops.cli.app import execute
from retailops.progress import Silent
from retailops.targets.aws import permissions
from retailops.targets.aws.balancers import Patience
from retailops.targets.aws.removal import AwsRemoval

pytestmark = pytest.mark.slow  # each trains once for all, and starts servers

QUIET = Silent()
NAME = f"{PREFIX}-api"


def removal(place: Any, infra: Builder) -> AwsRemoval:
    return AwsRemoval(place.session(), infra, Patience(controller=0.0, network=0.0, look=0.01))  # type: ignore[arg-type]


def build(place: Any, aws: Emulator) -> Estate:
    """Two versions after one another, of which the second is live; the repository and the bucket are Terraform's."""
    estate = Estate(aws)
    estate.state()
    place.serving().roll_out(place.registered(1), QUIET)
    place.serving().roll_out(place.registered(2), QUIET)
    ecr, s3, kms, sagemaker = (aws.client(name) for name in ("ecr", "s3", "kms", "sagemaker"))
    built = estate.infra.built
    built["ecr"] = lambda: ecr.delete_repository(repositoryName=PREFIX, force=True)
    built["group"] = lambda: sagemaker.delete_model_package_group(ModelPackageGroupName=PREFIX)
    for key in ("data", "platform"):
        built[key] = lambda key=key: kms.delete_alias(AliasName=f"alias/{PREFIX}-{key}")
    group = sagemaker.describe_model_package_group(ModelPackageGroupName=PREFIX)["ModelPackageGroupArn"]
    sagemaker.add_tags(ResourceArn=group, Tags=tags())
    for zone in ("raw", "silver", "gold", "models", "quarantine", "logs"):
        name = f"{PREFIX}-{zone}-{aws.account}"
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags()})
    return estate


def tags() -> list[dict[str, str]]:
    return [{"Key": "retailops:project", "Value": "retail-demo"}, {"Key": "retailops:environment", "Value": "dev"}]


def test_teardown_leaves_nothing_of_endpoint_images_and_scaling(place: Any, aws: Emulator) -> None:
    estate = build(place, aws)
    garden = Garden(aws)
    neighbour = {"retailops:project": "retail-demo", "retailops:environment": "dev2"}
    garden.endpoint(f"{PREFIX}2-api", neighbour)
    theirs = {"ServiceNamespace": "sagemaker", "ResourceId": f"endpoint/{PREFIX}2-api/variant/all"}
    scaling = aws.client("application-autoscaling")
    scaling.register_scalable_target(
        **theirs, ScalableDimension="sagemaker:variant:DesiredInstanceCount", MinCapacity=1, MaxCapacity=2
    )
    announced = {(each.kind, each.name) for each in removal(place, estate.infra).removals()}
    assert {"SageMaker endpoint", "endpoint config", "SageMaker model", "alarm"} <= {kind for kind, _ in announced}
    assert ("endpoint scaling", f"endpoint/{NAME}/variant/live") in announced
    assert not [name for _, name in announced if f"{PREFIX}2" in name]
    removal(place, estate.infra).remove(QUIET)
    left = place.standing()
    assert left["endpoints"] == [f"{PREFIX}2-api"] and left["targets"] == [f"endpoint/{PREFIX}2-api/variant/all 1-2"]
    assert left["policies"] == left["alarms"] == left["tracking"] == left["models"] == []
    assert left["configs"] == ["else"], "the neighbour's"
    assert aws.client("ecr").describe_repositories()["repositories"] == []
    assert aws.client("logs").describe_log_groups()["logGroups"] == []
    assert removal(place, estate.infra).left() == [], "by an independent look"
    place.asked.clear()
    removal(place, estate.infra).remove(QUIET)
    assert place.asked == [], "twice is harmless"


def test_a_scaling_and_alarms_without_their_endpoint_are_found_and_go(place: Any, aws: Emulator) -> None:
    """Somebody deleted the endpoint by hand."""
    estate = build(place, aws)
    aws.client("sagemaker").delete_endpoint(EndpointName=NAME)
    left = {each.kind: each for each in removal(place, estate.infra).left()}
    assert "deregister-scalable-target" in left["endpoint scaling"].fix
    assert "delete-alarms" in left["alarm"].fix
    removal(place, estate.infra).remove(QUIET)
    assert not any(place.standing().values())


def test_every_call_of_a_deploy_is_in_the_policy_that_doctor_prints(place: Any, aws: Emulator) -> None:
    with recorded(aws) as actions:
        place.serving().roll_out(place.registered(1), QUIET)
        place.serving().roll_out(place.registered(2), QUIET)
        place.serving().roll_back(None, QUIET)
        place.serving("endpoint: {instance: ml.c5.large}").roll_out(place.registered(2), QUIET)
        list(place.serving().logs(5, follow=False))
        place.serving().endpoint()
    session = place.session()
    allowed = {action for right in permissions.rights(session.names, session.settings) for action in right.actions}
    mine = {each for each in actions if not each.startswith(("s3:", "ecr:PutImage", "logs:PutLogEvents"))}
    mine -= {"logs:CreateLogStream"}  # the machines' own
    assert {"sagemaker:InvokeEndpoint", "sagemaker:UpdateEndpoint", "cloudwatch:PutMetricAlarm"} <= mine
    assert mine <= allowed, mine - allowed


def test_deploy_asks_before_something_is_paid_for_by_the_hour(
    place: Any, aws: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    grounds.store(aws)  # the product features of a version follow it
    model = place.registered(1)
    image = place.shelf.push(1, model.run.bundle)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    monkeypatch.setattr("retailops.targets.aws.endpoint_switch.Patience.look", 0.01)
    place.session(deploy=f"kubernetes: {{image: '{image.reference}'}}")
    monkeypatch.chdir(place.folder)
    code, out, err = execute(["deploy"]), *capsys.readouterr()
    assert code == 2 and "--yes" in err
    assert not any(place.standing().values())
    code, out, err = execute(["deploy", "--yes", "--json"]), *capsys.readouterr()
    assert code == 0, out + err
    endpoint = json.loads(out)["result"]["endpoint"]
    assert (endpoint["version"], endpoint["state"]) == (1, "ready")
    code, out, err = execute(["status"]), *capsys.readouterr()
    assert (
        code == 0 and "1 × ml.m5.large, at most 2" in out and endpoint["url"] in out.replace("\n", "").replace(" ", "")
    )
    code, out, err = execute(["deploy"]), *capsys.readouterr()
    assert code == 0, "what stands already needs no question"
    code, out, err = execute(["logs"]), *capsys.readouterr()
    assert code == 0 and "Model version 1 serves" in out
