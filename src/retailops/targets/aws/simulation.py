"""Floor 4, aws: IAM's own simulation of what these credentials may do, held against what the config will do.

Policies of the user or role, its groups, its boundary and the organisation's count; what a session was narrowed to when
it was opened, and policies on other accounts' resources, don't: IAM doesn't tell them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any

from retailops.targets.aws.rights import Conditions, Right
from retailops.targets.aws.session import Session, translated

# Whose decision it is.
NOT_ALLOWED = "no policy allows it"
DENIED = "a policy denies it explicitly"
OUTSIDE = "the permissions boundary doesn't allow it"
FORBIDDEN = "a service control policy of the organisation forbids it"

_AT_ONCE = 50  # actions of one call
_WORKERS = 4  # calls that wait for IAM at the same time


@dataclass(frozen=True)
class Denied:
    """One action that isn't allowed, and whose decision that is."""

    area: str
    action: str
    resource: str
    why: str

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}: {self.why}"


def denied(session: Session, principal: str, rights: Sequence[Right]) -> Iterator[list[Denied]]:
    """For each of the rights, in their order, what IAM would refuse of it; nothing when all of it is allowed."""
    iam = session.client("iam")
    known = _known(session)
    with ThreadPoolExecutor(_WORKERS) as workers:
        yield from workers.map(lambda right: _simulated(iam, principal, right, known), rights)


def _simulated(iam: Any, principal: str, right: Right, known: Mapping[str, str]) -> list[Denied]:
    refused: dict[tuple[str, str], Denied] = {}
    pages = iam.get_paginator("simulate_principal_policy")
    for facts, actions in product(_situations(right.conditions, known), _chunks(right.actions)):
        with translated("Simulating what these credentials may do"):
            for page in pages.paginate(
                PolicySourceArn=principal,
                ActionNames=list(actions),
                ResourceArns=list(right.resources),
                ContextEntries=[
                    {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
                    for key, value in facts.items()
                ],
            ):
                for each in _refusals(page["EvaluationResults"], right, facts):
                    refused.setdefault((each.action, each.resource), each)
    return list(refused.values())


def _known(session: Session) -> dict[str, str]:
    """What is true of all our requests."""
    project = session.config.project
    tags = {"retailops:project": project.name, "retailops:environment": project.environment}
    kinds = ("aws:RequestTag", "aws:ResourceTag")
    return {
        "aws:RequestedRegion": session.settings.region,
        **{f"{kind}/{tag}": value for kind in kinds for tag, value in tags.items()},
    }


def _situations(conditions: Conditions, known: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """What is known, with every combination of the values that the conditions name."""
    asked = {key: values for wanted in conditions.values() for key, values in wanted.items()}
    for values in product(*asked.values()):
        yield {**known, **dict(zip(asked, values, strict=True))}


def _refusals(results: Iterable[Mapping[str, Any]], right: Right, facts: Mapping[str, str]) -> Iterator[Denied]:
    """IAM gives a result an action, with the resources below it; of a single resource also without them."""
    for result in results:
        below = result.get("ResourceSpecificResults") or [
            {
                "EvalResourceName": result.get("EvalResourceName", right.resources[0]),
                "EvalResourceDecision": result["EvalDecision"],
            }
        ]
        for each in below:
            if each["EvalResourceDecision"] != "allowed":
                why = _reason(each["EvalResourceDecision"], result, each)
                service = facts.get("iam:PassedToService", "")
                yield Denied(
                    right.area,
                    result["EvalActionName"] + (f" to {service}" if service else ""),
                    each["EvalResourceName"],
                    why,
                )


def _reason(decision: str, result: Mapping[str, Any], resource: Mapping[str, Any]) -> str:
    organisation = result.get("OrganizationsDecisionDetail") or {}
    boundary = (
        resource.get("PermissionsBoundaryDecisionDetail") or result.get("PermissionsBoundaryDecisionDetail") or {}
    )
    if organisation.get("AllowedByOrganizations") is False:
        return FORBIDDEN
    if boundary.get("AllowedByPermissionsBoundary") is False:
        return OUTSIDE
    return DENIED if decision == "explicitDeny" else NOT_ALLOWED


def _chunks(actions: Sequence[str]) -> Iterator[Sequence[str]]:
    return (actions[start : start + _AT_ONCE] for start in range(0, len(actions), _AT_ONCE))
