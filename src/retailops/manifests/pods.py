"""Checks of one pod by itself: probes, image, resources, how it leaves, and what it may do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from retailops.manifests.lint import Problem
from retailops.manifests.objects import Object, Objects, Pods, dig, place_of

_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_DIGEST = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
_UNITS: dict[str | None, Decimal | int] = {
    None: 1,
    "m": Decimal("0.001"),
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
}
_UNITS |= {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_MARGIN_S = 5


def _each(objects: Objects) -> Iterator[tuple[Pods, Object, str]]:
    for pods in objects.pods():
        for container in pods.containers:
            yield pods, container, place_of(pods.owner, f"container {container.get('name')}")


def probe_port(objects: Objects) -> Iterator[Problem]:
    for _, container, where in _each(objects):
        ports = container.get("ports") or []
        known = {each.get("name") for each in ports} | {each.get("containerPort") for each in ports}
        for probe in _PROBES:
            wanted = [dig(container, probe, way, "port") for way in ("httpGet", "tcpSocket")]
            for port in wanted:
                if port is not None and port not in known:
                    what = f"the container has no port {port!r}"
                    yield Problem(f"{where} {probe}", what, "Take a port's name from the container.")


def probes(objects: Objects) -> Iterator[Problem]:
    """Who serves is asked whether it is ready; a Job isn't."""
    for pods, container, where in _each(objects):
        if pods.owner.get("kind") == "Deployment" and container.get("ports") and not container.get("readinessProbe"):
            what = "without a readinessProbe it gets requests before it can answer"
            yield Problem(where, what, "Ask its /readyz.")


def digest(objects: Objects) -> Iterator[Problem]:
    for _, container, where in _each(objects):
        if not _DIGEST.fullmatch(str(container.get("image"))):
            what = f"image {container.get('image')} has no digest, so it may change under the same name"
            yield Problem(where, what, "Name it as repository@sha256:….")


def resources(objects: Objects) -> Iterator[Problem]:
    for _, container, where in _each(objects):
        for name in ("cpu", "memory"):
            asked = dig(container, "resources", "requests", name)
            most = dig(container, "resources", "limits", name)
            if asked is None or most is None:
                missing = "requests" if asked is None else "limits"
                yield Problem(f"{where} resources.{missing}", f"{name} is missing", "Set requests and limits of both.")
                continue
            amounts = [_amount(each) for each in (asked, most)]
            if None in amounts:
                what = f"{asked if amounts[0] is None else most!r} isn't an amount of {name}"
                yield Problem(f"{where} resources", what, "Write it like 500m or 512Mi.")
            elif amounts[0] > amounts[1]:  # type: ignore[operator]  # neither is None here
                what = f"it asks for more {name} ({asked}) than it may have ({most})"
                yield Problem(f"{where} resources", what, "Raise the limit, or lower the request.")


def _amount(quantity: object) -> Decimal | None:
    found = _QUANTITY.fullmatch(str(quantity))
    return Decimal(found.group(1)) * _UNITS[found.group(2)] if found else None


def leaving(objects: Objects) -> Iterator[Problem]:
    """preStop counts as part of the grace period: what is left of it afterwards is the server's."""
    for pods, container, where in _each(objects):
        if pods.owner.get("kind") != "Deployment" or not container.get("ports"):
            continue
        hook = dig(container, "lifecycle", "preStop", default={})
        waits = _waits_s(hook)
        grace = pods.spec.get("terminationGracePeriodSeconds", 30)
        if not hook:
            what = "without preStop it leaves before balancers have heard of it, and requests are lost"
            yield Problem(where, what, "Let it sleep some seconds first.")
        elif isinstance(grace, int) and waits + _MARGIN_S > grace:
            what = f"preStop takes {waits} s of the {grace} s that it has to leave, so it is killed while it answers"
            yield Problem(f"{where} lifecycle.preStop", what, "Raise terminationGracePeriodSeconds.")


def _waits_s(hook: Object) -> int:
    words = [str(each) for each in dig(hook, "exec", "command", default=[])]
    seconds = dig(hook, "sleep", "seconds", default=words[-1] if words[:1] == ["sleep"] else 0)
    return int(seconds) if str(seconds).isdigit() else 0


def restricted(objects: Objects) -> Iterator[Problem]:
    """The restricted pod security standard, which the namespace enforces: a pod that breaks it is never made."""
    for pods, container, where in _each(objects):
        own, shared = dig(container, "securityContext", default={}), dig(pods.spec, "securityContext", default={})
        wanted = (
            ("runAsNonRoot", own.get("runAsNonRoot", shared.get("runAsNonRoot")), True),
            ("allowPrivilegeEscalation", own.get("allowPrivilegeEscalation"), False),
            ("readOnlyRootFilesystem", own.get("readOnlyRootFilesystem"), True),
            ("capabilities.drop", dig(own, "capabilities", "drop"), ["ALL"]),
            ("capabilities.add", dig(own, "capabilities", "add"), None),
            ("seccompProfile.type", dig({**shared, **own}, "seccompProfile", "type"), "RuntimeDefault"),
        )
        for name, found, right in wanted:
            if found != right:
                what = f"{name} is {found!r}, which the namespace or this house doesn't allow"
                yield Problem(f"{where} securityContext", what, f"Set it to {right!r}.")
        if own.get("runAsUser", shared.get("runAsUser")) == 0:
            yield Problem(f"{where} securityContext", "runAsUser is 0, which is root", "Take another number.")
        if any(pods.spec.get(each) for each in ("hostNetwork", "hostPID", "hostIPC")) or _host_paths(pods):
            what = "the pod reaches into its node (host network, processes or paths)"
            yield Problem(place_of(pods.owner, "spec.template.spec"), what, "Leave that out.")


def _host_paths(pods: Pods) -> bool:
    return any("hostPath" in each for each in pods.spec.get("volumes") or [])
