"""The price of a month on aws, to the cent, against sums done by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import pytest

from retailops.config import Config
from retailops.errors import ConfigError
from retailops.ports import Estimate
from retailops.targets.aws.bill import HOURS, Bill, cents, months
from retailops.targets.aws.costs import AwsCosts
from retailops.targets.aws.prices import Prices, load, regions

Configured = Callable[[str], Config]
TODAY = date(2026, 11, 25)

# Quantity × unit price = dollars, worked out on paper from the price list of the region.
ALWAYS = {
    "EKS control plane": 73.00,  # 730 × .10
    "Nodes on demand, 1 × t3.medium": 38.54,  # 730 × .0528
    "Nodes on spot, 1 × t3a.medium": 17.96,  # 730 × .0246, dearer than t3.medium's .0219
    "Disks of the nodes, gp3": 3.84,  # 2 × 20 × .096
    "NAT gateways, 1": 43.07,  # 730 × .059
    "NAT traffic": 1.18,  # 20 × .059
    "Public addresses of NAT": 3.65,  # 730 × .005
    "KMS keys, 2": 2.00,
    "Images in ECR": 0.20,  # 2 × .10
    "CloudWatch dashboard": 3.00,
    "Metrics with an alarm": 0.40,  # 4 × .10
    "Metrics of the API": 1.80,  # 6 × .30
    "Lake in S3": 0.02,  # 2.7 × (.1413 + 8 × .0138) = .6796; × .025
    "Writes to S3": 0.05,  # 8.76 + .8 + .2; × .005
    "Reads from S3": 0.00,  # 3 × 1.0 × .0004
    "ETL, ml.m5.large": 0.09,  # 8 × 4.54 min = .6053 h; × .144
    "Athena queries": 0.05,  # .01 × 5
    "Training on spot, ml.m5.large": 0.02,  # 4 × 1 × 5.35 min = .3567 h; × .058
    "Load balancer": 18.40,  # 730 × .0252
    "Load balancer, by load": 0.09,  # 1,000,000 / 90,000 × .008
    "Its public addresses, 2": 7.30,  # 2 × 730 × .005
    "Answers to the internet": 0.24,  # 2 × .12
    "Logs taken in": 3.50,  # 5 × .70
    "Logs kept 14 days": 0.07,  # 5 × 14 / 30.4 × .03
}
WORKING_HOURS = ALWAYS | {  # 50 h a week = 217.26 h a month
    "Nodes on demand, 1 × t3.medium": 11.47,
    "Nodes on spot, 1 × t3a.medium": 5.34,
    "Disks of the nodes, gp3": 1.14,
    "NAT gateways, 1": 12.82,
    "Public addresses of NAT": 1.09,
    "Metrics of the API": 0.54,
    "Load balancer": 5.47,
    "Its public addresses, 2": 2.17,
}
PARKED = {
    "EKS control plane": 73.00,
    "KMS keys, 2": 2.00,
    "Images in ECR": 0.20,
    "CloudWatch dashboard": 3.00,
    "Metrics with an alarm": 0.40,
    "Lake in S3": 0.02,
    "Writes to S3": 0.04,  # the audit trail's 8.76
}
WIDE = "aws: {zones: 3, nat: per-az, endpoints: 'on'}"
WIDE_ALWAYS = {name: usd for name, usd in ALWAYS.items() if name not in ("NAT gateways, 1", "Its public addresses, 2")}
WIDE_ALWAYS |= {
    "NAT gateways, 3": 129.21,  # 3 × 730 × .059
    "NAT traffic": 0.89,  # (20 − 5 of logs) × .059
    "Public addresses of NAT": 10.95,  # 3 × 730 × .005
    "Interface endpoints": 85.41,  # 3 services × 3 zones × 730 × .013
    "Interface endpoint traffic": 0.05,  # 5 × .01
    "Its public addresses, 3": 10.95,
}
VIRGINIA = {name: usd for name, usd in ALWAYS.items() if not name.startswith("Nodes on spot")} | {
    "Nodes on demand, 1 × t3.medium": 30.37,  # 730 × .0416
    "Nodes on spot, 1 × t3.medium": 11.39,  # 730 × .0156, dearer there than t3a.medium's .0144
    "Disks of the nodes, gp3": 3.20,
    "NAT gateways, 1": 32.85,
    "NAT traffic": 0.90,
    "ETL, ml.m5.large": 0.07,  # .6053 × .115
    "Load balancer": 16.43,  # 730 × .0225 = 16.425
    "Answers to the internet": 0.18,
    "Logs taken in": 2.50,
}


def priced(config: Config, scenario: str) -> Estimate:
    return next(each for each in AwsCosts(config, TODAY).estimates() if each.scenario == scenario)


@pytest.mark.parametrize(
    ("text", "scenario", "expected", "total"),
    [
        ("", "always", ALWAYS, 218.47),
        ("cost: {hours_per_week: 50}", "working-hours", WORKING_HOURS, 123.95),
        ("", "parked", PARKED, 78.66),
        (WIDE, "always", WIDE_ALWAYS, 400.73),
        ("aws: {region: us-east-1}", "always", VIRGINIA, 189.54),
    ],
    ids=["always", "working hours", "parked", "three zones, NAT in each, endpoints", "Virginia"],
)
def test_a_month_costs_what_was_worked_out_by_hand(
    configured: Configured, text: str, scenario: str, expected: dict[str, float], total: float
) -> None:
    found = priced(configured(f"train: {{algorithms: [xgboost]}}\n{text}"), scenario)
    assert {line.name: line.monthly_usd for line in found.lines} == expected
    assert found.monthly_usd == total


@pytest.mark.parametrize("region", regions())
@pytest.mark.parametrize("text", ["", "zones: 3, nat: per-az, endpoints: 'on', usage: {nat_gb: 3.3, log_gb: 1234.567}"])
def test_a_line_is_quantity_times_price_and_the_total_their_sum(configured: Configured, region: str, text: str) -> None:
    for estimate in AwsCosts(configured(f"aws: {{region: {region}, {text}}}")).estimates():
        for line in estimate.lines:
            exact = Decimal(str(line.quantity)) * Decimal(str(line.unit_usd))
            assert line.monthly_usd == float(exact.quantize(Decimal("0.01"), ROUND_HALF_UP)), line
            assert line.quantity > 0 and line.unit_usd > 0 and line.source and line.dated
        total = sum(Decimal(str(line.monthly_usd)) for line in estimate.lines)
        assert Decimal(str(estimate.monthly_usd)) == total


def test_several_machines_of_a_training_are_paid_each(configured: Configured) -> None:
    hours = []
    for instances in (1, 3):
        found = priced(configured(f"aws: {{training: {{instances: {instances}}}}}"), "always")
        hours.append(next(line.quantity for line in found.lines if line.part == "training"))
    assert hours[1] == pytest.approx(3 * hours[0], rel=1e-3)


def test_the_default_keeps_its_promises_on_what_it_costs(configured: Configured) -> None:
    totals = {each.scenario: each.monthly_usd for each in AwsCosts(configured(""), TODAY).estimates()}
    assert totals["parked"] < totals["working-hours"] < totals["always"] <= 250
    assert totals["working-hours"] <= 120


@pytest.mark.parametrize(
    ("version", "today", "usd"),
    [
        ("1.35", date(2027, 3, 26), 73),
        ("1.35", date(2027, 3, 27), 438),  # 730 × .60
        ("1.20", TODAY, 438),
        ("1.99", TODAY, 73),  # newer than the package
    ],
)
def test_a_cluster_out_of_standard_support_costs_six_times_as_much(
    configured: Configured, version: str, today: date, usd: float
) -> None:
    for estimate in AwsCosts(configured(f"aws: {{kubernetes: '{version}'}}"), today).estimates():
        assert estimate.lines[0].monthly_usd == usd


def test_a_week_of_168_hours_is_all_of_the_month(configured: Configured) -> None:
    config = configured("cost: {hours_per_week: 168}")
    assert priced(config, "working-hours").lines == priced(config, "always").lines
    assert months(168)[1].awake_hours == HOURS


@pytest.mark.parametrize(
    ("text", "what", "fix"),
    [
        (
            "region: ap-south-2",
            "No prices are known for the region ap-south-2",
            "ap-southeast-1, eu-central-1, eu-west-1",
        ),
        ("nodes: {types: [m7i.large]}", "No price is known for m7i.large", "t3.medium, t3.large"),
        ("nodes: {types: [t3.medium, m7i.large]}", "No price is known for m7i.large", "t3.medium, t3.large"),
        ("jobs: {instance: ml.m5.xlarge}", "No price is known for ml.m5.xlarge", "aws.jobs.instance"),
    ],
)
def test_a_price_that_is_missing_is_an_error_and_never_nothing(
    configured: Configured, text: str, what: str, fix: str
) -> None:
    with pytest.raises(ConfigError, match=what) as refused:
        AwsCosts(configured(f"aws: {{{text}}}")).estimates()
    assert fix in refused.value.fix


def test_every_price_that_a_bill_needs_is_missed_when_it_is_gone() -> None:
    content = {"region": "here", "sources": {"s": {"where": "a page", "dated": "2026-01-02"}}, "prices": {}}
    with pytest.raises(ConfigError, match=r"No price is known for hour \(nat\) in here"):
        Bill(Prices(content)).add("infrastructure", "NAT", "nat.hour", 730)


@pytest.mark.parametrize("region", regions())
def test_every_region_has_every_price_with_a_source_and_a_day(region: str) -> None:
    items = {name: set(load(name)._items) for name in regions()}
    assert len(items) >= 4 and len({frozenset(each) for each in items.values()}) == 1
    prices = load(region)
    for item in items[region]:
        price = prices.of(item)
        assert price.usd > 0 and price.unit and len(price.source) > 20
        assert "2024-12-31" < price.dated < "2026-12-31"
        assert price.certainty in ("read", "typical", "unconfirmed")
        assert item.startswith("spot.") == (price.certainty == "typical")
    assert {source["dated"] for source in prices._sources.values()} == {prices.of(item).dated for item in items[region]}


def test_a_price_that_nobody_compared_says_so() -> None:
    for region in regions():
        prices = load(region)
        guessed = [item for item in prices._items if "not compared" in prices.of(item).source]
        assert guessed and all(prices.of(item).certainty == "unconfirmed" for item in guessed)


def test_the_lake_keeps_its_dataset_in_a_month_without_an_etl_run(configured: Configured) -> None:
    config = configured("aws: {usage: {etl_runs: 0, rows_million: 100}}")
    lines = {line.name: line for line in priced(config, "always").lines}
    assert lines["Lake in S3"].quantity == 15.51  # 100 × (.1413 + .0138)
    assert "ETL, ml.m5.large" not in lines


def test_the_etl_is_priced_as_the_machine_that_it_runs_on(configured: Configured) -> None:
    config = configured("aws: {usage: {etl_runs: 100, rows_million: 10}}")
    line = next(line for line in priced(config, "always").lines if line.name.startswith("ETL"))
    assert (line.name, line.unit, line.quantity) == ("ETL, ml.m5.large", "hour", 10.0)  # 100 × (4 + 10 × .2) min
    assert line.unit_usd == load("ap-southeast-1").of("sagemaker.ml.m5.large").usd


def test_the_etl_on_spark_is_priced_as_glues_cluster(configured: Configured) -> None:
    more = "spark: {worker: G.2X, workers: 3}"
    config = configured(f"etl: {{engine: spark}}\naws: {{usage: {{etl_runs: 100, rows_million: 10}}, {more}}}")
    (line,) = [line for line in priced(config, "always").lines if line.name.startswith("ETL")]
    assert (line.name, line.quantity) == ("ETL on Glue, 3 G.2X", 100.0)  # 100 × (2 + 10 × .8) min × 3 × 2 DPUs
    assert line.unit_usd == load("ap-southeast-1").of("glue.dpu").usd


def test_spot_is_priced_at_the_dearest_of_the_types(configured: Configured) -> None:
    line = next(x for x in priced(configured(""), "always").lines if x.name.startswith("Nodes on spot"))
    assert (line.unit_usd, line.certainty) == (0.0246, "typical")
    assert line.detail.startswith("$53.87 with all 3")  # 3 × 730 × .0246 = 53.874


@pytest.mark.parametrize(("quantity", "usd", "expected"), [(1, 1.005, 1.01), (730, 0.0225, 16.43), (0.125, 0.04, 0.01)])
def test_half_a_cent_is_rounded_up_and_not_to_what_binary_makes_of_it(
    quantity: float, usd: float, expected: float
) -> None:
    assert cents(quantity, usd) == expected
