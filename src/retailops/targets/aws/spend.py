"""Floor 4, aws: what was really billed for the project, from Cost Explorer, by the project's tags."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from retailops.ports import Spend
from retailops.targets.aws.session import Session, code_of, translated

REGION = "us-east-1"  # Cost Explorer answers there, for all regions
METRIC = "UnblendedCost"


def spend(session: Session, today: date) -> Spend:
    """The month to date and where it is heading; `today` is the day in UTC. Each call costs a cent, as AWS has it.

    TargetFailed when AWS refuses: the right `ce:Get*` is missing, or Cost Explorer was never opened in this account.
    """
    client = session.client("ce", region_name=REGION)
    first, tomorrow = today.replace(day=1), today + timedelta(days=1)
    with translated("Asking Cost Explorer for this month's bill"):
        services = dict(_by_service(client, _filter(session), first, tomorrow))
    total = sum(services.values())
    rest = _forecast(client, _filter(session), tomorrow, _next_month(first))
    return Spend(
        month_to_date_usd=round(total, 2),
        forecast_usd=None if rest is None else round(total + rest, 2),
        by_service={name: round(usd, 2) for name, usd in sorted(services.items(), key=lambda item: -item[1])},
        since=first.isoformat(),
    )


def _by_service(client: Any, filter: dict[str, Any], start: date, end: date) -> Iterator[tuple[str, float]]:
    """Service and dollars from `start` until before `end`, which lie in one month."""
    more: dict[str, str] = {}
    while True:
        page = client.get_cost_and_usage(
            TimePeriod={"Start": start.isoformat(), "End": end.isoformat()},
            Granularity="MONTHLY",
            Metrics=[METRIC],
            GroupBy=[{"Type": "DIMENSION", "Key": "SERVICE"}],
            Filter=filter,
            **more,
        )
        for period in page["ResultsByTime"]:
            for group in period["Groups"]:
                yield group["Keys"][0], float(group["Metrics"][METRIC]["Amount"])
        if not page.get("NextPageToken"):
            return
        more = {"NextPageToken": page["NextPageToken"]}


def _forecast(client: Any, filter: dict[str, Any], start: date, end: date) -> float | None:
    """Dollars that the rest of the month will cost; None when AWS has seen too little to tell."""
    from botocore.exceptions import ClientError

    if start >= end:
        return 0.0
    with translated("Asking Cost Explorer for the rest of the month"):
        try:
            # By day: by month, AWS would answer for the whole month, whatever day is given as the start.
            answer = client.get_cost_forecast(
                TimePeriod={"Start": start.isoformat(), "End": end.isoformat()},
                Granularity="DAILY",
                Metric="UNBLENDED_COST",
                Filter=filter,
            )
        except ClientError as problem:
            if code_of(problem) == "DataUnavailableException":
                return None
            raise
    return float(answer["Total"]["Amount"])


def _filter(session: Session) -> dict[str, Any]:
    project = session.config.project
    wanted = {"retailops:project": project.name, "retailops:environment": project.environment}
    return {"And": [{"Tags": {"Key": key, "Values": [value]}} for key, value in wanted.items()]}


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)
