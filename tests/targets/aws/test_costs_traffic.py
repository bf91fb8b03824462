"""NAT or interface endpoints: the cheaper way for the declared traffic, and where it tips."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from retailops.config import Config
from retailops.errors import ConfigError
from retailops.targets.aws.costs import AwsCosts, interface_endpoints

Configured = Callable[[str], Config]
TODAY = date(2026, 11, 25)
# ap-southeast-1: an endpoint in two zones stands for 2 × 730 × $0.013 = $18.98 and saves $0.059 − $0.01 a GB.
TIPS_GB = 18.98 / 0.049  # 387.35


def usage(gb: float, zones: int = 2, endpoints: str = "auto") -> str:
    return f"aws: {{zones: {zones}, endpoints: '{endpoints}', usage: {{nat_gb: {gb}, log_gb: {gb}}}}}"


@pytest.mark.parametrize(
    ("text", "services"),
    [
        ("", ()),
        (usage(TIPS_GB - 1), ()),
        (usage(TIPS_GB + 1), ("logs",)),
        (usage(TIPS_GB + 1, zones=3), ()),  # a third zone's hours: 581 GB
        (usage(TIPS_GB * 1.5 + 1, zones=3), ("logs",)),
        (usage(5000, endpoints="off"), ()),
        (usage(1, endpoints="on"), ("ecr.api", "ecr.dkr", "logs")),
        ("aws: {usage: {nat_gb: 5000, log_gb: 5}}", ()),  # the layers of images don't pass through NAT
    ],
)
def test_an_endpoint_stands_where_it_pays(configured: Configured, text: str, services: tuple[str, ...]) -> None:
    assert interface_endpoints(configured(text)) == services


def test_an_endpoint_carries_no_more_than_what_goes_through_nat(configured: Configured) -> None:
    config = configured("aws: {endpoints: 'on', usage: {nat_gb: 3, log_gb: 50}}")
    lines = {line.name: line.quantity for line in AwsCosts(config, TODAY).estimates()[0].lines}
    assert lines["Interface endpoint traffic"] == 3
    assert "NAT traffic" not in lines


@pytest.mark.parametrize("gb", [TIPS_GB - 5, TIPS_GB + 5])
def test_auto_is_never_dearer_than_the_other_way(configured: Configured, gb: float) -> None:
    def network(endpoints: str) -> float:
        lines = AwsCosts(configured(usage(gb, endpoints=endpoints))).estimates()[0].lines
        return round(sum(x.monthly_usd for x in lines if "NAT" in x.name or "ndpoint" in x.name), 2)

    assert network("auto") <= min(network("on"), network("off"))


def test_the_advice_says_what_each_way_costs_and_where_it_tips(configured: Configured) -> None:
    advice = AwsCosts(configured(""), TODAY).advice()[0]
    assert advice.choice == "NAT (cheaper)"
    assert advice.monthly_usd == {"NAT": 0.3, "endpoint": 19.03}  # 5 × .059 = .295; 18.98 + 5 × .01
    assert "387 GB" in advice.reason and "free gateway endpoint" in advice.reason


def test_the_advice_owns_up_to_a_choice_that_the_file_made(configured: Configured) -> None:
    advice = AwsCosts(configured(usage(1, endpoints="on"))).advice()[0]
    assert advice.choice == "endpoints for $56.94 a month (as set)"  # 3 services × 2 zones × 730 × .013
    assert advice.monthly_usd["endpoint"] > advice.monthly_usd["NAT"]


def test_a_sagemaker_endpoint_is_priced_beside_the_load_balancer(configured: Configured) -> None:
    advice = AwsCosts(configured(""), TODAY).advice()[1]
    # 18.40 + .09 + 7.30 + .24; and 730 × .144, with four alarms
    assert advice.monthly_usd == {"EKS": 26.03, "SageMaker endpoint": 105.52}


def test_served_by_sagemaker_the_endpoint_stands_in_the_place_of_the_load_balancer(configured: Configured) -> None:
    text = "deploy: {engine: sagemaker}\naws: {endpoint: {instances_min: 2, instances_max: 4}}\n"
    always, working, parked = AwsCosts(configured(text), TODAY).estimates()
    serving = {line.name: line.monthly_usd for line in always.lines if line.part == "serving"}
    assert serving == {"SageMaker endpoint, 2 × ml.m5.large": 210.24, "Alarms of the endpoint": 0.4}  # 2 × 730 × .144
    (machines,) = [line for line in always.lines if line.name.startswith("SageMaker")]
    assert machines.detail == "$420.48 with all 4 that a high load may bring"
    told = {line.name: line.quantity for line in working.lines}
    assert told["SageMaker endpoint, 2 × ml.m5.large"] == 347.62, "parked it is deleted"  # 2 × 40 h a week
    assert not [line for line in parked.lines if line.name.startswith("SageMaker")]
    fixed = AwsCosts(configured("deploy: {engine: sagemaker}\naws: {endpoint: {instances_max: 1}}\n"), TODAY)
    assert fixed.estimates()[0].lines[-3].monthly_usd == 0.2, "nothing scales, so two alarms"


def test_a_region_without_prices_decides_only_what_needs_none(configured: Configured) -> None:
    assert interface_endpoints(configured("aws: {region: ap-south-2, endpoints: 'off'}")) == ()
    with pytest.raises(ConfigError, match="ap-south-2"):
        interface_endpoints(configured("aws: {region: ap-south-2}"))
