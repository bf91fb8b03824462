"""What a cluster's API says when it doesn't do what it was asked, as errors with their next step."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from retailops.errors import TargetFailed
from retailops.tools.kube.conflicts import Owned, owned

_FORBIDDEN = re.compile(r'User "(?P<user>[^"]*)" cannot (?P<verb>\w+) resource "(?P<resource>[^"]+)"')
_WHERE = re.compile(r'in the namespace "([^"]+)"')
_AGAIN = "then run this again."


class Unreachable(TargetFailed):
    """The cluster's API doesn't answer from here, or not to us."""


class Refused(Unreachable):
    """These credentials may not do that."""


class Rejected(TargetFailed):
    """The object isn't taken: it is invalid, over a quota, or against a policy of the cluster."""


class Changed(TargetFailed):
    """It was there already, or somebody changed it since it was read."""


class Conflict(TargetFailed):
    """Somebody else set fields that we would set differently."""

    def __init__(self, what: str, fix: str, fields: Sequence[Owned]) -> None:
        super().__init__(what, fix, details={"conflicts": [each.as_dict() for each in fields]})
        self.fields = tuple(fields)


def unreachable(where: str, problem: Exception) -> Unreachable:
    return Unreachable(
        f"The cluster's API {where} can't be reached from here ({type(problem).__name__}).",
        "Run this from a network that may reach it, and look whether the cluster is up.",
    )


def refusal(status: int, body: bytes, doing: str) -> TargetFailed:
    """The error for an answer of 400 and above; `doing` is the call, like `apply Deployment shop/api`."""
    said = _status(body)
    message = str(said.get("message") or body.decode(errors="replace")[:300]).strip()
    if status == 401:
        return Refused(
            "The cluster's API doesn't know these credentials: 401 Unauthorized.",
            f"Log in again (renew the token of this context), {_AGAIN}",
        )
    if status == 403:
        return _forbidden(message, doing)
    fields = owned(said.get("details", {}).get("causes") or [])
    if status == 409 and fields:
        return _conflict(doing, fields)
    if status == 409:
        return Changed(f"The cluster couldn't {doing}: {message}", "Run this again.")
    if status in (400, 404, 422) or "typed patch object" in message:  # which comes as a failure of the server
        return Rejected(f"The cluster doesn't take it ({doing}): {message}", f"Correct what it names, {_AGAIN}")
    return Unreachable(
        f"The cluster's API failed to {doing}: {status} {message}", "Run this again; if it stays, look at the cluster."
    )


def _forbidden(message: str, doing: str) -> TargetFailed:
    """A right that is missing, or one of the other reasons that come under the same number."""
    missing = _FORBIDDEN.search(message)
    if missing:
        place = _WHERE.search(message)
        verb, resource = missing["verb"], missing["resource"]
        where = f" in the namespace {place[1]}" if place else ""
        return Refused(
            f"The cluster's API refuses: 403 Forbidden. {missing['user']!r} may not {verb} {resource}{where}.",
            f"Have these credentials given the verb {verb} on {resource}{where}: by a role, on EKS by an access entry; "
            f"{_AGAIN}",
        )
    if "exceeded quota" in message:
        return Rejected(
            f"The namespace's quota doesn't leave room to {doing}: {message}",
            f"Have the quota raised, or set deploy.kubernetes.cpu, memory_mb or replicas lower; {_AGAIN}",
        )
    if "violates PodSecurity" in message or "admission webhook" in message:
        return Rejected(f"A policy of the cluster forbids to {doing}: {message}", "Ask whoever set that policy.")
    return Refused(
        f"The cluster's API refuses: 403 Forbidden. {message}",
        f"Give these credentials access to the cluster by a role, on EKS by an access entry; {_AGAIN}",
    )


def _conflict(doing: str, fields: Sequence[Owned]) -> Conflict:
    lines = "\n".join(f"  {each.field} is set by {each.manager}" for each in fields)
    return Conflict(
        f"Somebody else has set what retailops would set differently ({doing}):\n{lines}",
        "Nothing was changed. Have retail.yaml say the same, or take the fields back by hand: "
        "retailops deploy --render DIR, then "
        "kubectl apply --server-side --force-conflicts --field-manager=retailops -f DIR; then deploy again.",
        fields,
    )


def _status(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
