"""SimulatePrincipalPolicy: the policies that moto really stores for a user or role, evaluated as IAM would.

Identity policies (inline, attached, through groups) and a role's permissions boundary count; an explicit deny wins.
A caller that moto knows must be allowed to simulate; the kit's own credentials may do everything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.models import IAMBackend, Role, User, iam_backends
from moto.sts.models import sts_backends

from emulator.server import Request, Response

Facts = Mapping[str, list[str]]  # what is known of a request, by lower-case condition key
Statement = Mapping[str, Any]

_XML = {"Content-Type": "text/xml"}
_NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"


@dataclass(frozen=True)
class Verdict:
    """What IAM decides, in its own words: allowed, implicitDeny, explicitDeny."""

    decision: str
    inside_boundary: bool | None  # None: the principal has no boundary


def simulate(request: Request) -> Response | None:
    if request.service != "iam" or request.form.get("Action") != "SimulatePrincipalPolicy":
        return None
    source = request.form["PolicySourceArn"]
    backend = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    caller = _caller(request, backend)
    if caller is not None and not _may_simulate(Policies(caller, backend), source):
        says = f"User: {caller.arn} is not authorized to perform: iam:SimulatePrincipalPolicy on resource: {source}"
        return _error("AccessDenied", says, 403)
    principal = _principal(backend, source)
    if principal is None:
        return _error("NoSuchEntity", f"The principal {source} does not exist.", 404)
    answer = _answer(Policies(principal, backend), parse_qs(request.body.decode()))
    return Response(answer.encode(), 200, _XML)


HOOKS = [simulate]


def _may_simulate(policies: Policies, source: str) -> bool:
    return policies.judge("iam:SimulatePrincipalPolicy", source, {}).decision == "allowed"


class Policies:
    """What is stored for a user or role, read once."""

    def __init__(self, principal: User | Role, backend: IAMBackend) -> None:
        self._documents = list(_documents(principal, backend))
        limit = getattr(principal, "permissions_boundary_arn", None)
        self._boundary = [_managed(backend, limit)] if limit else None

    def judge(self, action: str, resource: str, facts: Facts) -> Verdict:
        """What they say of one action on one resource."""
        decision = _decide(self._documents, action, resource, facts)
        if self._boundary is None:
            return Verdict(decision, None)
        inside = _decide(self._boundary, action, resource, facts)
        if "explicitDeny" in (decision, inside):
            return Verdict("explicitDeny", inside == "allowed")
        return Verdict(decision if inside == "allowed" else "implicitDeny", inside == "allowed")


def _decide(documents: Iterable[Mapping[str, Any]], action: str, resource: str, facts: Facts) -> str:
    statements = [each for document in documents for each in _list(document["Statement"])]
    effects = {each["Effect"] for each in statements if _applies(each, action, resource, facts)}
    return "explicitDeny" if "Deny" in effects else "allowed" if "Allow" in effects else "implicitDeny"


def _applies(statement: Statement, action: str, resource: str, facts: Facts) -> bool:
    actions = _matched(statement, "Action", action, ignore_case=True)
    return (
        actions
        and _matched(statement, "Resource", resource)
        and all(_holds(operator, wanted, facts) for operator, wanted in statement.get("Condition", {}).items())
    )


def _matched(statement: Statement, element: str, value: str, *, ignore_case: bool = False) -> bool:
    inverse = f"Not{element}" in statement
    patterns = _list(statement[f"Not{element}" if inverse else element])
    return any(_like(pattern, value, ignore_case=ignore_case) for pattern in patterns) != inverse


def _like(pattern: str, value: str, *, ignore_case: bool = False) -> bool:
    """IAM knows `*` and `?`; brackets are letters like others."""
    literal = pattern.replace("[", "[[]")
    return fnmatchcase(value.lower(), literal.lower()) if ignore_case else fnmatchcase(value, literal)


_TESTS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, found: wanted == found,
    "StringLike": _like,
    "ArnEquals": _like,
    "ArnLike": _like,
    "Bool": lambda wanted, found: wanted.lower() == found.lower(),
}


def _holds(operator: str, wanted: Mapping[str, Any], facts: Facts) -> bool:
    """Whether one operator's keys all hold. A key that the request doesn't have fails, unless …IfExists."""
    optional = operator.endswith("IfExists")
    test = _TESTS[operator.removesuffix("IfExists").rpartition(":")[2]]
    for key, values in wanted.items():
        found = facts.get(key.lower())
        if found is None:
            if not optional:
                return False
        elif not any(test(str(value), each) for value in _list(values) for each in found):
            return False
    return True


def _documents(principal: User | Role, backend: IAMBackend) -> Iterator[Mapping[str, Any]]:
    holders: list[Any] = [principal]
    if isinstance(principal, User):
        holders += backend.get_groups_for_user(principal.name)
    for holder in holders:
        for inline in holder.policies.values():
            yield json.loads(inline)
        for arn in holder.managed_policies:
            yield _managed(backend, arn)


def _managed(backend: IAMBackend, arn: str) -> Mapping[str, Any]:
    policy = backend.get_policy(arn)
    version = next(each for each in policy.versions if each.version_id == policy.default_version_id)
    found: Mapping[str, Any] = json.loads(version.document)
    return found


def _principal(backend: IAMBackend, arn: str) -> User | Role | None:
    known = [*backend.users.values(), *backend.roles.values()]
    return next((each for each in known if each.arn == arn), None)


def _caller(request: Request, backend: IAMBackend) -> User | Role | None:
    key = request.headers.get("AUTHORIZATION", "").partition("Credential=")[2].partition("/")[0]
    for user in backend.users.values():
        if any(each.access_key_id == key for each in user.access_keys):
            return user
    assumed = [each for sts in sts_backends[DEFAULT_ACCOUNT_ID].values() for each in sts.assumed_roles]
    arn = next((each.role_arn for each in assumed if each.access_key_id == key), "")
    return _principal(backend, arn)


def _answer(policies: Policies, form: Mapping[str, list[str]]) -> str:
    actions, resources = _members(form, "ActionNames"), _members(form, "ResourceArns") or ["*"]
    facts = _facts(form)
    results = []
    for action in actions:
        verdicts = {each: policies.judge(action, each, facts) for each in resources}
        results.append(_result(action, verdicts))
    return (
        f'<SimulatePrincipalPolicyResponse xmlns="{_NAMESPACE}"><SimulatePrincipalPolicyResult>'
        f"<IsTruncated>false</IsTruncated><EvaluationResults>{''.join(results)}</EvaluationResults>"
        "</SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
    )


def _result(action: str, verdicts: Mapping[str, Verdict]) -> str:
    """One result an action: the most restrictive decision, and each resource's own below it."""
    order = ("allowed", "implicitDeny", "explicitDeny")
    worst = max((each.decision for each in verdicts.values()), key=order.index)
    details = "".join(
        f"<member><EvalResourceName>{escape(resource)}</EvalResourceName>"
        f"<EvalResourceDecision>{verdict.decision}</EvalResourceDecision>{_boundary(verdict)}</member>"
        for resource, verdict in verdicts.items()
    )
    return (
        f"<member><EvalActionName>{escape(action)}</EvalActionName><EvalDecision>{worst}</EvalDecision>"
        f"<EvalResourceName>{escape(next(iter(verdicts)))}</EvalResourceName>"
        f"<ResourceSpecificResults>{details}</ResourceSpecificResults></member>"
    )


def _boundary(verdict: Verdict) -> str:
    if verdict.inside_boundary is None:
        return ""
    inside = f"<AllowedByPermissionsBoundary>{str(verdict.inside_boundary).lower()}</AllowedByPermissionsBoundary>"
    return f"<PermissionsBoundaryDecisionDetail>{inside}</PermissionsBoundaryDecisionDetail>"


def _members(form: Mapping[str, list[str]], name: str) -> list[str]:
    """`Name.member.1`, `Name.member.2`, … in their order."""
    found = {int(match[1]): values[-1] for key, values in form.items() if (match := _numbered(name, key))}
    return [found[number] for number in sorted(found)]


def _numbered(name: str, key: str) -> re.Match[str] | None:
    return re.fullmatch(rf"{re.escape(name)}\.member\.(\d+)", key)


def _facts(form: Mapping[str, list[str]]) -> dict[str, list[str]]:
    numbers = {match[1] for key in form if (match := re.match(r"ContextEntries\.member\.(\d+)\.", key))}
    entries = [f"ContextEntries.member.{number}" for number in numbers]
    return {
        form[f"{entry}.ContextKeyName"][-1].lower(): _members(form, f"{entry}.ContextKeyValues") for entry in entries
    }


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _error(code: str, message: str, status: int) -> Response:
    text = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return Response(f'<ErrorResponse xmlns="{_NAMESPACE}">{text}</ErrorResponse>'.encode(), status, _XML)
