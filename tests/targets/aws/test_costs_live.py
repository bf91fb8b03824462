"""What was really billed: Cost Explorer, asked through the real SDK, with the answers that AWS gives."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from emulator import Emulator, Request, Response
from retailops import targets
from retailops.cli.views.cost import bill
from retailops.errors import TargetFailed
from retailops.lifecycle.cost import cost as told
from retailops.ports import Spend
from retailops.targets.aws.costs import AwsCosts
from retailops.targets.aws.session import Session
from retailops.targets.aws.spend import spend

PAGES = [{"Amazon Elastic Kubernetes Service": "40.004", "EC2 - Other": "20.5"}, {"AmazonCloudWatch": "1.0"}]


class Billing:
    """A Cost Explorer that remembers what it was asked; two pages of services, and a forecast or a refusal."""

    def __init__(self, forecast: str | None = "100.25", refusal: str = "") -> None:
        self.asked: list[tuple[str, dict[str, Any], Request]] = []
        self._forecast = forecast
        self._refusal = refusal

    def __call__(self, request: Request) -> Response | None:
        if not request.target.startswith("AWSInsightsIndexService."):
            return None
        operation, body = request.target.partition(".")[2], json.loads(request.body)
        self.asked.append((operation, body, request))
        if self._refusal:
            return refused(self._refusal)
        if operation == "GetCostAndUsage":
            return self._usage(body)
        return refused("DataUnavailableException") if self._forecast is None else self._rest()

    def _usage(self, body: dict[str, Any]) -> Response:
        number = int(body.get("NextPageToken", "0"))
        groups = [
            {"Keys": [name], "Metrics": {"UnblendedCost": {"Amount": amount, "Unit": "USD"}}}
            for name, amount in PAGES[number].items()
        ]
        more = {"NextPageToken": "1"} if number == 0 else {}
        return answered({"ResultsByTime": [{"TimePeriod": body["TimePeriod"], "Groups": groups}], **more})

    def _rest(self) -> Response:
        return answered({"Total": {"Amount": self._forecast, "Unit": "USD"}, "ForecastResultsByTime": []})


def answered(content: dict[str, Any]) -> Response:
    return Response(json.dumps(content).encode(), 200, {"Content-Type": "application/x-amz-json-1.1"})


def refused(code: str) -> Response:
    body = json.dumps({"__type": code, "message": "no"}).encode()
    return Response(body, 400, {"Content-Type": "application/x-amz-json-1.1"})


def test_the_bill_is_read_page_by_page_and_the_forecast_is_of_the_whole_month(session: Session, aws: Emulator) -> None:
    billing = Billing()
    aws.answer(billing)
    assert spend(session, date(2026, 11, 20)) == Spend(
        month_to_date_usd=61.5,
        forecast_usd=161.75,
        by_service={"Amazon Elastic Kubernetes Service": 40.0, "EC2 - Other": 20.5, "AmazonCloudWatch": 1.0},
        since="2026-11-01",
    )
    (_, first, _), (_, second, _), (operation, forecast, request) = billing.asked
    assert first["TimePeriod"] == second["TimePeriod"] == {"Start": "2026-11-01", "End": "2026-11-21"}
    assert operation == "GetCostForecast"
    assert (forecast["TimePeriod"], forecast["Granularity"]) == ({"Start": "2026-11-21", "End": "2026-12-01"}, "DAILY")
    assert "/us-east-1/ce/" in request.headers["AUTHORIZATION"]  # the only place where it answers
    wanted = [
        {"Key": "retailops:project", "Values": ["retail-demo"]},
        {"Key": "retailops:environment", "Values": ["dev"]},
    ]
    assert all([each["Tags"] for each in body["Filter"]["And"]] == wanted for _, body, _ in billing.asked)


def test_too_little_was_seen_to_forecast(session: Session, aws: Emulator) -> None:
    aws.answer(Billing(forecast=None))
    assert spend(session, date(2026, 11, 1)).forecast_usd is None


@pytest.mark.parametrize("today", [date(2026, 12, 31), date(2027, 2, 28)])
def test_on_the_last_day_nothing_is_left_to_forecast(session: Session, aws: Emulator, today: date) -> None:
    billing = Billing()
    aws.answer(billing)
    found = spend(session, today)
    assert found.forecast_usd == found.month_to_date_usd
    assert {operation for operation, _, _ in billing.asked} == {"GetCostAndUsage"}


def test_a_missing_right_is_told_with_what_to_do(session: Session, aws: Emulator) -> None:
    aws.answer(Billing(refusal="AccessDeniedException"))
    with pytest.raises(TargetFailed, match="Asking Cost Explorer for this month's bill") as problem:
        spend(session, date(2026, 11, 20))
    assert "retailops doctor" in problem.value.fix


def test_an_account_without_a_bill_has_spent_nothing(session: Session, aws: Emulator) -> None:
    """moto's own answer: no period at all."""
    aws.answer(lambda request: refused("DataUnavailableException") if "GetCostForecast" in request.target else None)
    assert spend(session, date(2026, 11, 20)) == Spend(0.0, None, {}, "2026-11-01")


@pytest.fixture
def cost(aws: Emulator, configured: Callable[[str], Any]) -> Callable[..., Any]:
    """`retailops cost --live` with a budget, as the lifecycle tells it."""

    def ask(budget: float, allow: bool = False, forecast: str | None = "100.25") -> Any:
        aws.answer(Billing(forecast))
        config = configured(f"cost: {{monthly_budget_usd: {budget}, scenario: parked}}")
        target = replace(targets.open_target(config), costs=AwsCosts(config, date(2026, 11, 20)))
        return told(target, allow, live=True)

    return ask


def test_a_bill_over_the_budget_or_heading_there_is_a_missed_gate(cost: Callable[..., Any]) -> None:
    within = cost(250)
    assert within.failed is None
    assert within.result["live"]["month_to_date_usd"] == 61.5
    assert "heading for $161.75" in cost(160).failed.what
    assert cost(160, allow=True).failed is None
    assert cost(160, forecast=None).failed is None
    assert "parked" in cost(61).failed.what  # the estimate of $78.66 comes first


def test_a_person_sees_the_bill_beside_the_budget(cost: Callable[..., Any]) -> None:
    shown = seen(cost(160).result)
    assert "billed since 2026-11-01" in shown
    assert "EC2 - Other" in shown and "20.50" in shown
    assert "61.50  ≤ 160.00  ✔ within" in shown and "161.75  ≤ 160.00  ✘ OVER" in shown
    assert "forecast" in shown and "–" in seen(cost(160, forecast=None).result)


def test_a_bill_without_any_service_says_why_that_may_be(cost: Callable[..., Any]) -> None:
    result = cost(250).result
    nothing = {"month_to_date_usd": 0.0, "forecast_usd": None, "by_service": {}, "since": "2026-11-01"}
    assert "cost allocation tag" in seen({**result, "live": nothing})
    assert "cost allocation tag" not in seen(result)


def seen(result: dict[str, Any]) -> str:
    """What a terminal of 80 columns shows."""
    console = Console(file=StringIO(), width=80)
    bill(console, result)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    return text
