"""Why a Job on a cluster ended without its result, or can't begin: in its own words, in Kubernetes', by its log."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from retailops import events
from retailops.batch.agreed import CONTAINER
from retailops.errors import RetailOpsError, TargetFailed
from retailops.manifests.objects import dig
from retailops.tools.diagnosis import Rule, fitting, plain

_AGAIN = "Then run the same command again."

# Reason and message of a pod that doesn't start, or of an event about a Job without pods → what it means.
WAITING = (
    Rule(
        r"ErrImagePull|ImagePullBackOff|InvalidImageName|ErrImageNeverPull|RegistryUnavailable|ImageInspectError",
        f"Build and push it: retailops image build --worker. The cluster's nodes need the right to pull it. {_AGAIN}",
        "The cluster can't load the image of jobs.",
        cause="image",
    ),
    Rule(
        r"violates PodSecurity|PodSecurityPolicy",
        "Its rules are stricter than the restricted standard, which the pod keeps: ask who runs the cluster.",
        "The cluster doesn't admit the job's pod.",
        cause="admission",
    ),
    Rule(
        r"exceeded quota|must specify (limits|requests)|maximum (cpu|memory) usage|minimum (cpu|memory) usage",
        f"Lower etl.memory_mb or etl.threads in retail.yaml, or have the namespace's quota raised. {_AGAIN}",
        "A quota of the namespace doesn't let the job's pod in.",
        cause="quota",
    ),
    Rule(
        r"Unschedulable",
        f"Lower etl.memory_mb or etl.threads in retail.yaml, or give the cluster larger nodes. {_AGAIN}",
        "No node of the cluster has room for the job's pod.",
        cause="room",
    ),
    Rule(
        r"CreateContainerConfigError|CreateContainerError|RunContainerError|PostStartHookError",
        f"Correct what it names. {_AGAIN}",
        "The cluster can't start the job's container.",
        cause="container",
    ),
    Rule(r"FailedCreate", f"Correct what it names. {_AGAIN}", "The cluster can't make the job's pod.", cause="pod"),
)

# Reason and message of a pod that ended, or of the Job's own end.
ENDED = (
    Rule(
        r"OOMKilled",
        f"Raise etl.memory_mb in retail.yaml, or lower etl.threads. {_AGAIN}",
        "The job was killed: it needed more memory than its limit, which is etl.memory_mb and 512 MB.",
        cause="memory",
    ),
    Rule(
        r"(?i)evicted.*(ephemeral|emptydir|disk)|(ephemeral|emptydir|disk).*(exceed|low on|limit)",
        f"Its rows need more disk than its limit, or the node is full: free some, or use larger nodes. {_AGAIN}",
        "The job's pod was evicted: its disk is full.",
        cause="disk",
    ),
    Rule(
        r"Evicted|Preempt|NodeShutdown|NodeLost|Terminated",
        f"Its node needed the room or went away. {_AGAIN}",
        "The job's pods were evicted each time.",
        cause="evicted",
    ),
    Rule(
        r"DeadlineExceeded",
        f"Raise etl.max_minutes in retail.yaml. {_AGAIN}",
        "The job took longer than it may.",
        cause="time",
    ),
)
_FALLBACK = "Run the same command again; if it stays, the log has the whole story."


@dataclass(frozen=True)
class Ending:
    """How a pod's container ended."""

    code: int
    reason: str
    message: str


def ending(pod: Mapping[str, Any]) -> Ending | None:
    """None while it runs, waits, or if it ended without a container of its own (evicted: the pod itself says why)."""
    state = dig(_container(pod), "state", "terminated", default={})
    if state:
        return Ending(int(state.get("exitCode", 0)), str(state.get("reason", "")), str(state.get("message", "")))
    if dig(pod, "status", "phase") == "Failed":
        return Ending(-1, str(dig(pod, "status", "reason", default="")), str(dig(pod, "status", "message", default="")))
    return None


def condition(job: Mapping[str, Any]) -> tuple[str, str, str]:
    """("Complete" | "Failed" | "", reason, message) of a Job."""
    for each in dig(job, "status", "conditions", default=[]):
        if each.get("type") in ("Complete", "Failed") and each.get("status") == "True":
            return str(each["type"]), str(each.get("reason", "")), str(each.get("message", ""))
    return "", "", ""


def hindrance(pod: Mapping[str, Any] | None, about: Sequence[Mapping[str, Any]]) -> str:
    """Why the newest pod doesn't run, as `reason: message`; `about` are the Job's events, for when there is no pod."""
    if pod is None:
        warnings = [each for each in about if each.get("type") == "Warning"]
        return f"{warnings[-1].get('reason')}: {warnings[-1].get('message', '')}" if warnings else ""
    waiting = dig(_container(pod), "state", "waiting", default={})
    if waiting and waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
        return f"{waiting['reason']}: {waiting.get('message', '')}"
    for each in dig(pod, "status", "conditions", default=[]):
        if each.get("type") == "PodScheduled" and each.get("status") == "False":
            return f"{each.get('reason', '')}: {each.get('message', '')}"
    return ""


def is_about_room(hindrance: str) -> bool:
    """Whether a new node, which takes minutes, may still help."""
    return hindrance.startswith("Unschedulable")


def stuck(job: str, hindrance: str) -> TargetFailed:
    """The error for a pod that doesn't start by itself any more."""
    rule = fitting(hindrance, WAITING)
    what = rule.what if rule else "The job's pod doesn't start."
    details = {"job": job, "cause": rule.cause if rule else "", "reason": hindrance}
    text = f"{what} (Job {job})\nKubernetes says: {plain(hindrance)}"
    return TargetFailed(text, rule.fix if rule else _AGAIN, details=details)


def from_message(message: str) -> RetailOpsError | None:
    """The worker's last words, where the node shows them; None when they aren't there, or not whole."""
    start = message.find('{"code"')
    try:
        return events.error(json.JSONDecoder().raw_decode(message[start:])[0]) if start >= 0 else None
    except (ValueError, KeyError):
        return None


def death(job: str, end: Ending | None, why: str, words: Sequence[str], log: str, pods: int) -> TargetFailed:
    """The error for a Job that ended without a word of its own; `why` is Kubernetes' reason for the Job's end."""
    rule = fitting(why if "DeadlineExceeded" in why else f"{end.reason} {end.message} {why}" if end else why, ENDED)
    times = f" ({pods} times)" if pods > 1 else ""
    code = f" (exit code {end.code})" if end and end.code >= 0 else ""
    what = rule.what if rule else f"The job ended without its result{code}{times}."
    said = "".join(f"\n  {word}" for word in words)
    details = {
        "job": job,
        "cause": rule.cause if rule else "",
        "exit": end.code if end else None,
        "reason": why,
        "log": log,
        "last": list(words),
    }
    says = f"\nKubernetes says: {plain(why)}" if why else ""
    fix = rule.fix if rule else _FALLBACK
    return TargetFailed(f"{what} (Job {job}){says}{said}\nIts log: {log}", fix, details=details)


def _container(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    for each in dig(pod, "status", "containerStatuses", default=[]):
        if each.get("name") == CONTAINER:
            found: Mapping[str, Any] = each
            return found
    return {}
