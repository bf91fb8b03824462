"""How many machines there are, of which type, how traffic goes over, and what that costs."""

from __future__ import annotations

from typing import Any

import pytest

from emulator import Emulator
from emulator.estate import Estate
from emulator.planting import PREFIX
from retailops.errors import ConfigError, TargetFailed, Unsupported
from retailops.progress import Silent
from retailops.targets.aws.balancers import Patience as Balancing
from retailops.targets.aws.parking import Parking
from retailops.targets.aws.state import State

pytestmark = pytest.mark.slow  # each trains once for all, and starts servers

QUIET = Silent()
NAME = f"{PREFIX}-api"
SCALED = {"ServiceNamespace": "sagemaker", "ResourceId": f"endpoint/{NAME}/variant/live"}


def test_another_type_of_machine_isn_t_refused_for_the_scaling_of_the_old_one(place: Any) -> None:
    place.serving().roll_out(place.model(1), QUIET)
    endpoint = place.serving("endpoint: {instance: ml.c5.large, instances_max: 3}").roll_out(place.model(1), QUIET)
    assert endpoint.detail["instance"] == "ml.c5.large"
    assert place.standing()["targets"] == [f"endpoint/{NAME}/variant/live 1-3"]
    assert len(place.hosting.updates) == 1


def test_an_update_to_another_type_that_fails_leaves_the_old_one_scaled(place: Any, aws: Emulator) -> None:
    place.serving().roll_out(place.model(1), QUIET)
    before = place.standing()
    config = before["configs"][0]
    place.hosting.watching = lambda: ring(place, aws, config)
    with pytest.raises(TargetFailed, match="ALARM"):
        place.serving("endpoint: {instance: ml.c5.large}").roll_out(place.model(1), QUIET)
    assert place.standing() == before


def ring(place: Any, aws: Emulator, but: str) -> None:
    for name in place.standing()["alarms"]:
        if not name.startswith(but):
            aws.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="for a test")


def test_scaling_follows_the_config_without_another_update(place: Any, aws: Emulator) -> None:
    place.serving().roll_out(place.model(1), QUIET)
    text = "endpoint: {instances_max: 5, invocations_per_minute: 900}"
    place.serving(text).roll_out(place.model(1), QUIET)
    assert place.standing()["targets"] == [f"endpoint/{NAME}/variant/live 1-5"]
    (policy,) = aws.client("application-autoscaling").describe_scaling_policies(**SCALED)["ScalingPolicies"]
    tracked = policy["TargetTrackingScalingPolicyConfiguration"]
    assert tracked["TargetValue"] == 900.0
    metric = tracked["PredefinedMetricSpecification"]["PredefinedMetricType"]
    assert metric == "SageMakerVariantInvocationsPerInstance"
    assert place.hosting.updates == []
    place.serving("endpoint: {instances_max: 1}").roll_out(place.model(1), QUIET)
    standing = place.standing()
    assert standing["targets"] == standing["policies"] == standing["tracking"] == []


@pytest.mark.parametrize(("shift", "step"), [("canary", "CanarySize"), ("linear", "LinearStepSize")])
def test_traffic_goes_over_in_steps_where_there_are_machines_for_them(place: Any, shift: str, step: str) -> None:
    text = f"endpoint: {{instances_min: 2, shift: {shift}, bake_s: 60}}"
    place.serving(text).roll_out(place.model(1), QUIET)
    place.serving(text).roll_out(place.model(2), QUIET)
    policy = place.hosting.updates[0]["DeploymentConfig"]["BlueGreenUpdatePolicy"]
    traffic = policy["TrafficRoutingConfiguration"]
    assert traffic["Type"] == shift.upper() and traffic[step]["Value"] <= 50
    assert traffic["WaitIntervalInSeconds"] == policy["TerminationWaitInSeconds"] == 60
    assert policy["MaximumExecutionTimeoutInSeconds"] > 60 * 100 / traffic[step]["Value"]
    assert not place.hosting.updates[0]["RetainAllVariantProperties"], "nothing scales: the count is the config's"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{instances_min: 3}", "instances_max is at least instances_min"),
        ("{instance: ml.t2.medium}", "doesn't scale burstable machines"),
        ("{shift: canary}", "needs instances_min of 2"),
        ("{instance: m5.large}", "instance"),
    ],
)
def test_what_sagemaker_would_refuse_is_refused_with_the_line_of_the_file(place: Any, text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        place.session(f"endpoint: {text}")


def test_what_will_be_paid_for_is_told_before(place: Any) -> None:
    (change,) = place.serving().changes()
    assert (change.action, change.kind, change.name) == ("create", "SageMaker endpoint", NAME)
    assert (change.detail, change.monthly_usd) == ("1 × ml.m5.large", 105.12)
    place.serving().roll_out(place.model(1), QUIET)
    assert place.serving().changes() == []
    (more,) = place.serving("endpoint: {instances_min: 2}").changes()
    assert (more.action, more.detail) == ("update", "2 × ml.m5.large for 1 × ml.m5.large")
    assert more.monthly_usd == 210.24


def test_parked_it_is_told_as_such_and_awake_it_answers_again(place: Any, aws: Emulator) -> None:
    Estate(aws).state()
    place.serving().roll_out(place.model(1), QUIET)
    standing = place.standing()
    session = place.session()
    parking = Parking(session, State(session), Balancing(controller=0.0, network=0.0, look=0.01))
    parking.park(QUIET)
    assert place.standing()["endpoints"] == place.standing()["targets"] == []
    parked = place.serving().endpoint()
    assert (parked.version, parked.state) == (1, "unreachable")
    assert "infra wake" in parked.detail["why"]
    parking.wake(QUIET)
    place.hosting.settle()
    assert place.standing() == standing
    assert place.serving().endpoint().state == "ready" and place.version == 1


def test_there_are_no_manifests(place: Any) -> None:
    with pytest.raises(Unsupported, match=r"deploy\.engine is sagemaker"):
        place.serving().rendering()


def test_on_its_way_the_endpoint_says_so(place: Any) -> None:
    assert place.serving().endpoint() is None
    place.hosting.capacity.clear()
    serving = place.serving()
    serving._switch.settled = lambda progress: serving._switch.state()
    with pytest.raises(TargetFailed):
        serving.roll_out(place.model(1), QUIET)
    starting = place.serving().endpoint()
    assert (starting.version, starting.state, starting.detail["status"]) == (1, "starting", "Creating")
    place.hosting.capacity.set()
    place.hosting.settle()
