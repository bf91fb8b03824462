"""Floor 3, rollout: how far a pod is, and why it isn't ready: read from what its cluster says of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Object = Mapping[str, Any]
Step = Literal["waiting for a node", "starting", "running", "ready", "leaving", "ended"]
STEPS: tuple[Step, ...] = ("waiting for a node", "starting", "running", "ready")

_IMAGE = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
_MADE = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
# What no amount of waiting changes: the thing isn't there, or may not be had.
_FINAL = re.compile(
    r"not found|manifest unknown|no such|unauthorized|denied"
    r"|InvalidImageName|ErrImageNeverPull|couldn't find|runAsNonRoot",
    re.IGNORECASE,
)
_CRASHES = 2  # ends of a container after which another start isn't waited for
_SIGNALS = {137: "killed", 139: "a crash in native code", 143: "told to end"}


@dataclass(frozen=True)
class Trouble:
    """Why a pod isn't ready."""

    pod: str
    kind: str  # image, container, crash, memory, probe, node, gate, evicted
    what: str  # the rest of a sentence that begins with the pod's name
    hopeless: bool = False  # waiting changes nothing
    logs: Literal["", "now", "before"] = ""  # whose last lines say more: this container's, or the one before it

    def __str__(self) -> str:
        return f"{self.pod} {self.what}"


def name_of(pod: Object) -> str:
    return str(pod["metadata"]["name"])


def leaving(pod: Object) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def is_ready(pod: Object) -> bool:
    return not leaving(pod) and condition(pod, "Ready").get("status") == "True"


def restarts(pod: Object) -> int:
    return sum(int(each.get("restartCount", 0)) for each in _containers(pod))


def step(pod: Object) -> Step:
    """How far it is."""
    if leaving(pod):
        return "leaving"
    if pod.get("status", {}).get("phase") in ("Failed", "Succeeded"):
        return "ended"
    if is_ready(pod):
        return "ready"
    if any((each.get("state") or {}).get("running") for each in _containers(pod)):
        return "running"
    return "starting" if pod.get("spec", {}).get("nodeName") else "waiting for a node"


def trouble(pod: Object, events: Iterable[Object] = ()) -> Trouble | None:
    """What keeps it from being ready, worst first; None where nothing does, or it just needs its time."""
    name, status = name_of(pod), pod.get("status", {})
    if leaving(pod) or is_ready(pod):
        return None
    if status.get("phase") == "Failed" and status.get("reason"):
        return Trouble(name, "evicted", f"was ended by its node: {_told(status)}")
    for each in _containers(pod):
        found = _container(name, pod, each)
        if found:
            return found
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return Trouble(name, "node", f"finds no node that takes it: {scheduled.get('message') or 'no reason is given'}")
    return _unready(name, pod, events)


def _container(name: str, pod: Object, status: Object) -> Trouble | None:
    state, last = status.get("state") or {}, status.get("lastState") or {}
    waiting = state.get("waiting") or {}
    reason, message = str(waiting.get("reason", "")), str(waiting.get("message", ""))
    if reason in _IMAGE:
        final = bool(_FINAL.search(f"{reason} {message}"))
        return Trouble(name, "image", f"can't get its image {_image(pod)}: {message or reason}", final)
    if reason in _MADE:
        final = bool(_FINAL.search(message))
        return Trouble(name, "container", f"can't be started ({reason}): {message or 'no reason is given'}", final)
    ended = state.get("terminated") or last.get("terminated")
    if not ended:
        return None
    return _crash(name, pod, status, ended)


def _crash(name: str, pod: Object, status: Object, ended: Object) -> Trouble:
    count, code = int(status.get("restartCount", 0)), int(ended.get("exitCode", 0))
    current = bool((status.get("state") or {}).get("terminated"))
    ends = count + current
    often = "" if ends < 2 else f", {ends} times so far"
    running = bool((status.get("state") or {}).get("running"))
    hopeless = ends >= _CRASHES and not running
    logs: Literal["now", "before"] = "before" if running else "now"
    if ended.get("reason") == "OOMKilled":
        return Trouble(name, "memory", f"was killed over its memory limit of {_limit(pod)}{often}", hopeless, logs)
    meaning = f", {_SIGNALS[code]}" if code in _SIGNALS else ""
    return Trouble(name, "crash", f"ended with exit code {code}{meaning}{often}", hopeless, logs)


def _unready(name: str, pod: Object, events: Iterable[Object]) -> Trouble | None:
    """It runs: a probe isn't answered, or whoever must agree that it is ready doesn't yet."""
    running = [each for each in _containers(pod) if (each.get("state") or {}).get("running")]
    if not running:
        return None
    if all(each.get("ready") for each in running):
        for gate in pod.get("spec", {}).get("readinessGates") or []:
            found = condition(pod, gate["conditionType"])
            if found.get("status") != "True":
                said = found.get("message") or found.get("reason") or "nothing is said yet"
                return Trouble(name, "gate", f"runs, and {gate['conditionType']} isn't true yet: {said}")
        return None
    started = all(each.get("started") for each in running)
    said = next((str(each["message"]) for each in reversed(list(events)) if each.get("reason") == "Unhealthy"), "")
    probe = "readinessProbe" if started else "startupProbe"
    asked = _asked(pod, probe)
    what = f"runs, and its {probe.removesuffix('Probe')} probe{asked} isn't passed{': ' + said if said else ''}"
    return Trouble(name, "probe", what, logs="now")


def _asked(pod: Object, probe: str) -> str:
    for each in pod.get("spec", {}).get("containers", []):
        found = each.get(probe, {}).get("httpGet")
        if found:
            return f" (GET {found.get('path', '/')})"
    return ""


def _containers(pod: Object) -> list[Object]:
    return list(pod.get("status", {}).get("containerStatuses") or [])


def condition(found: Object, kind: str) -> Object:
    """What an object's status says under this type; empty when it says nothing."""
    said: Object = next((each for each in found.get("status", {}).get("conditions") or [] if each["type"] == kind), {})
    return said


def _image(pod: Object) -> str:
    return str(pod.get("spec", {}).get("containers", [{}])[0].get("image", ""))


def _limit(pod: Object) -> str:
    resources = pod.get("spec", {}).get("containers", [{}])[0].get("resources", {})
    return str(resources.get("limits", {}).get("memory", "its node"))


def _told(status: Object) -> str:
    return ", ".join(str(status[key]) for key in ("reason", "message") if status.get(key))
