"""Floor 4, aws: what the load balancer controller's annotations may say. Nobody else reads them before it does.

Source: kubernetes-sigs.github.io/aws-load-balancer-controller, Ingress annotations, and ELB's limits of health checks.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping

from retailops.manifests import Objects, Problem
from retailops.manifests.objects import Object, dig, place_of

_PREFIX = "alb.ingress.kubernetes.io/"
_CERTIFICATE = (
    r"arn:aws(-cn|-us-gov)?:(acm:[a-z0-9-]+:\d{12}:certificate/[0-9a-f-]{36}|iam::\d{12}:server-certificate/.+)"
)
_WEB_ACL = r"arn:aws(-cn|-us-gov)?:wafv2:[a-z0-9-]+:\d{12}:regional/webacl/[\w-]+/[0-9a-f-]{36}"
_CODES = r"[2-4]\d\d(-[2-4]\d\d)?(,[2-4]\d\d(-[2-4]\d\d)?)*"

Rule = Callable[[str], str]  # what is wrong; empty = nothing


def _word(*words: str) -> Rule:
    return lambda value: "" if value in words else f"one of {', '.join(words)} is expected"


def _number(least: int, most: int) -> Rule:
    def rule(value: str) -> str:
        return "" if value.isdecimal() and least <= int(value) <= most else f"a number {least} to {most} is expected"

    return rule


def _like(pattern: str, what: str) -> Rule:
    return lambda value: "" if re.fullmatch(pattern, value) else f"{what} is expected"


def _each(rule: Rule) -> Rule:
    return lambda value: next((wrong for part in value.split(",") if (wrong := rule(part.strip()))), "")


def _network(value: str) -> str:
    try:
        ipaddress.ip_network(value)
    except ValueError as problem:
        return str(problem)
    return ""


def _listeners(value: str) -> str:
    try:
        pairs = [pair for each in json.loads(value) for pair in each.items()]
    except (ValueError, TypeError, AttributeError):
        pairs = []
    right = [name in ("HTTP", "HTTPS") and isinstance(port, int) and 1 <= port <= 65_535 for name, port in pairs]
    return "" if right and all(right) else 'JSON like [{"HTTP": 80}, {"HTTPS": 443}] is expected'


def _attributes(rules: Mapping[str, Rule]) -> Rule:
    def rule(value: str) -> str:
        for pair in value.split(","):
            key, _, text = pair.strip().partition("=")
            if key not in rules:
                return f"there is no attribute {key!r}{_meant(key, rules)}"
            if wrong := rules[key](text):
                return f"{key}: {wrong}"
        return ""

    return rule


_SWITCH = _word("true", "false")
_RULES: Mapping[str, Rule] = {
    "scheme": _word("internal", "internet-facing"),
    "target-type": _word("ip", "instance"),
    "listen-ports": _listeners,
    "certificate-arn": _each(_like(_CERTIFICATE, "the ARN of a certificate in ACM or IAM")),
    "ssl-policy": _like(r"ELBSecurityPolicy-[\w-]+", "the name of a policy, like ELBSecurityPolicy-TLS13-1-2-2021-06"),
    "ssl-redirect": _number(1, 65_535),
    "inbound-cidrs": _each(_network),
    "healthcheck-protocol": _word("HTTP", "HTTPS"),
    "healthcheck-path": _like(r"/\S{0,1023}", "a path that begins with /"),
    "healthcheck-port": _like(r"traffic-port|\d{1,5}|[a-z][a-z0-9-]*", "traffic-port, a number or a port's name"),
    "healthcheck-interval-seconds": _number(5, 300),
    "healthcheck-timeout-seconds": _number(2, 120),
    "healthy-threshold-count": _number(2, 10),
    "unhealthy-threshold-count": _number(2, 10),
    "success-codes": _like(_CODES, "codes like 200 or 200-299"),
    "wafv2-acl-arn": _like(_WEB_ACL, "the ARN of a regional web ACL"),
    "tags": _each(_like(r"[^=]{1,128}=[^=]{0,256}", "key=value")),
    "group.name": _like(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?", "lower-case letters, digits and hyphens"),
    "load-balancer-attributes": _attributes(
        {
            "access_logs.s3.enabled": _SWITCH,
            "access_logs.s3.bucket": _like(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "the name of a bucket"),
            "access_logs.s3.prefix": _like(r"[^/].*[^/]|[^/]", "a prefix without / at its ends"),
            "deletion_protection.enabled": _SWITCH,
            "idle_timeout.timeout_seconds": _number(1, 4000),
            "routing.http.drop_invalid_header_fields.enabled": _SWITCH,
            "routing.http2.enabled": _SWITCH,
        }
    ),
    "target-group-attributes": _attributes(
        {
            "deregistration_delay.timeout_seconds": _number(0, 3600),
            "load_balancing.algorithm.type": _word("round_robin", "least_outstanding_requests", "weighted_random"),
            "slow_start.duration_seconds": _number(0, 900),
            "stickiness.enabled": _SWITCH,
        }
    ),
}


def _meant(word: str, known: Mapping[str, Rule]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"; {near[0]!r} is meant?" if near else ""


def balancer_annotations(objects: Objects) -> Iterator[Problem]:
    """Each annotation by itself, then what they say together."""
    for ingress in objects.of("Ingress"):
        written = dig(ingress, "metadata", "annotations", default={})
        ours = {key.removeprefix(_PREFIX): value for key, value in written.items() if key.startswith(_PREFIX)}
        for name, value in ours.items():
            wrong = _wrong(name, value)
            if wrong:
                where = place_of(ingress, f"metadata.annotations {_PREFIX}{name}")
                yield Problem(
                    where, f"{value!r}: {wrong}", "Correct it: the controller would refuse it, or not look at it."
                )
        yield from _together(ingress, ours)


def _wrong(name: str, value: object) -> str:
    if not isinstance(value, str):
        return "an annotation is text: put it in quotes"
    if name not in _RULES:
        return f"no annotation of that name is known here{_meant(name, _RULES)}"
    return _RULES[name](value)


def _together(ingress: Object, ours: Mapping[str, str]) -> Iterator[Problem]:
    where = place_of(ingress, "metadata.annotations")
    listeners = str(ours.get("listen-ports", ""))
    if "HTTPS" in listeners and not ours.get("certificate-arn"):
        yield Problem(where, "HTTPS is listened on without a certificate", "Set aws.ingress.certificate_arn.")
    redirect = ours.get("ssl-redirect")
    if redirect and f'"HTTPS": {redirect}' not in listeners:
        yield Problem(where, f"HTTP is redirected to {redirect}, where HTTPS isn't listened on", "Add that listener.")
    timeout, interval = (ours.get(f"healthcheck-{each}-seconds", "") for each in ("timeout", "interval"))
    if str(timeout).isdecimal() and str(interval).isdecimal() and int(timeout) >= int(interval):
        yield Problem(where, "a health check lasts as long as the time between two", "Raise the interval.")
