"""What Terraform asks of a budget and moto doesn't know: its tags, who is told, and a changed limit."""

from __future__ import annotations

import json
from typing import Any

from moto.budgets.models import BudgetsBackend, budgets_backends
from moto.core import DEFAULT_ACCOUNT_ID

from emulator.server import Hook, Request, Response


def answer(request: Request) -> Response | None:
    service, _, operation = request.target.partition(".")
    known = _OPERATIONS.get(operation) if service == "AWSBudgetServiceGateway" else None
    if known is None:
        return None
    told = known(budgets_backends[DEFAULT_ACCOUNT_ID]["aws"], json.loads(request.body))
    return None if told is None else Response(json.dumps(told).encode())


HOOKS: list[Hook] = [answer]


def _create(backend: BudgetsBackend, wanted: dict[str, Any]) -> None:
    """moto makes the budget; its tags are kept here, in the backend, so that they go with a reset."""
    _tags(backend)[wanted["Budget"]["BudgetName"]] = {
        tag["Key"]: tag["Value"] for tag in wanted.get("ResourceTags", [])
    }


def _update(backend: BudgetsBackend, wanted: dict[str, Any]) -> dict[str, Any]:
    budget = wanted["NewBudget"]
    backend.budgets[wanted["AccountId"]][budget["BudgetName"]].budget.update(budget)
    return {}


def _subscribers(backend: BudgetsBackend, wanted: dict[str, Any]) -> dict[str, Any]:
    notifications = backend.budgets[wanted["AccountId"]][wanted["BudgetName"]].notifications
    (found,) = [each for each in notifications if _same(each.details, wanted["Notification"])]
    return {"Subscribers": found.subscribers}


def _listed_tags(backend: BudgetsBackend, wanted: dict[str, Any]) -> dict[str, Any]:
    tags = _tags(backend).get(_name(wanted), {})
    return {"ResourceTags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def _tag(backend: BudgetsBackend, wanted: dict[str, Any]) -> dict[str, Any]:
    tags = _tags(backend).setdefault(_name(wanted), {})
    tags.update({tag["Key"]: tag["Value"] for tag in wanted["ResourceTags"]})
    return {}


def _untag(backend: BudgetsBackend, wanted: dict[str, Any]) -> dict[str, Any]:
    for key in wanted["ResourceTagKeys"]:
        _tags(backend).get(_name(wanted), {}).pop(key, None)
    return {}


_OPERATIONS = {
    "CreateBudget": _create,
    "DescribeSubscribersForNotification": _subscribers,
    "ListTagsForResource": _listed_tags,
    "TagResource": _tag,
    "UntagResource": _untag,
    "UpdateBudget": _update,
}


def _tags(backend: BudgetsBackend) -> dict[str, dict[str, str]]:
    tags: dict[str, dict[str, str]] = backend.__dict__.setdefault("tags_by_budget", {})
    return tags


def _name(wanted: dict[str, Any]) -> str:
    return str(wanted["ResourceARN"]).rpartition("/")[2]


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(one.get(key) == other.get(key) for key in ("NotificationType", "ComparisonOperator", "Threshold"))
