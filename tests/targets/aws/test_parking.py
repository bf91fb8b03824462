"""Park and wake: what Terraform doesn't know goes, and comes back exactly as it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from emulator import Emulator, Request, Response
from emulator.cluster_api import ClusterApi
from emulator.estate import Estate
from emulator.planting import PREFIX
from retailops.errors import TargetFailed
from retailops.progress import Silent
from retailops.targets.aws.balancers import Patience
from retailops.targets.aws.parking import Parking
from retailops.targets.aws.session import Session
from retailops.targets.aws.state import State

pytestmark = pytest.mark.slow  # each asks many services of the emulator

QUIET = Silent()
RULE = {"rules": [{"host": "shop.example.com"}], "clusterIP": "10.0.0.7"}


@pytest.fixture
def estate(aws: Emulator) -> Estate:
    made = Estate(aws)
    made.state()
    made.endpoint()
    return made


@pytest.fixture
def parking(swift: Session, estate: Estate) -> Parking:
    return Parking(swift, State(swift), Patience(controller=0.0, network=0.0, look=0.01))


@pytest.fixture
def scaled(aws: Emulator, estate: Estate) -> dict[str, Any]:
    """The endpoint's scaling: one to four machines, by requests."""
    scaling = aws.client("application-autoscaling")
    what = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{PREFIX}-api/variant/all",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    scaling.register_scalable_target(**what, MinCapacity=1, MaxCapacity=4)
    tracking = {
        "TargetValue": 100.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
    }
    scaling.put_scaling_policy(
        **what,
        PolicyName="by-requests",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=tracking,
    )
    return what


@pytest.fixture
def api(estate: Estate) -> Iterator[ClusterApi]:
    with ClusterApi() as running:
        estate.cluster(running.url)
        running.ingresses["api"] = "shop"
        running.specs["api"] = RULE
        yield running


def endpoints(aws: Emulator) -> list[str]:
    return [each["EndpointName"] for each in aws.client("sagemaker").list_endpoints()["Endpoints"]]


def test_an_endpoint_goes_and_comes_back_with_its_config_tags_and_scaling(
    aws: Emulator, parking: Parking, scaled: dict[str, Any]
) -> None:
    sagemaker, scaling = aws.client("sagemaker"), aws.client("application-autoscaling")
    before = sagemaker.describe_endpoint(EndpointName=f"{PREFIX}-api")
    tags = sagemaker.list_tags(ResourceArn=before["EndpointArn"])["Tags"]
    parking.park(QUIET)
    assert endpoints(aws) == []
    assert scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"] == []
    parking.park(QUIET)  # twice forgets nothing
    parking.wake(QUIET)
    after = sagemaker.describe_endpoint(EndpointName=f"{PREFIX}-api")
    assert after["EndpointConfigName"] == before["EndpointConfigName"]
    assert sagemaker.list_tags(ResourceArn=after["EndpointArn"])["Tags"] == tags
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 4)
    (policy,) = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 100.0
    parking.wake(QUIET)  # twice makes no second one
    assert endpoints(aws) == [f"{PREFIX}-api"]


def test_the_ways_in_come_back_without_what_the_cluster_gave(parking: Parking, api: ClusterApi) -> None:
    parking.park(QUIET)
    assert api.ingresses == {}
    parking.wake(QUIET)
    assert api.ingresses == {"api": "shop"}
    assert api.specs["api"] == {"rules": RULE["rules"]}


def test_a_park_that_was_cut_short_is_remembered_before_anything_went(
    aws: Emulator, parking: Parking, swift: Session
) -> None:
    def cut(request: Request) -> Response | None:
        refused = request.target == "SageMaker.DeleteEndpoint"
        return Response(b'{"__type": "AccessDeniedException", "message": "no"}', 400) if refused else None

    aws.answer(cut)
    with pytest.raises(TargetFailed, match="Stopping the endpoint"):
        parking.park(QUIET)
    record = State(swift).read("infra/parked.json")
    assert list(record["endpoints"]) == [f"{PREFIX}-api"]
    aws.hooks.remove(cut)
    parking.park(QUIET)
    parking.wake(QUIET)
    assert endpoints(aws) == [f"{PREFIX}-api"]
    assert State(swift).read("infra/parked.json") == {}


def test_another_projects_endpoint_is_left_alone(aws: Emulator, parking: Parking) -> None:
    sagemaker = aws.client("sagemaker")
    sagemaker.create_endpoint(EndpointName=f"{PREFIX}-api2", EndpointConfigName=f"{PREFIX}-api")
    parking.park(QUIET)
    assert endpoints(aws) == [f"{PREFIX}-api2"]


def test_an_endpoint_that_does_not_come_up_is_told_and_wake_can_go_on(aws: Emulator, parking: Parking) -> None:
    parking.park(QUIET)
    failing = [True]

    def fails(request: Request) -> Response | None:
        asked = request.target == "SageMaker.DescribeEndpoint" and failing[0]
        return Response(b'{"EndpointStatus": "Failed"}') if asked else None

    aws.answer(fails)
    with pytest.raises(TargetFailed, match="didn't come up: it is Failed") as failed:
        parking.wake(QUIET)
    assert "log group" in failed.value.fix
    failing[0] = False
    parking.wake(QUIET)
    assert endpoints(aws) == [f"{PREFIX}-api"]
