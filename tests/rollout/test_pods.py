"""Why a pod isn't ready, from what clusters say of pods."""

from __future__ import annotations

from typing import Any

import pytest

from retailops.rollout.pods import is_ready, restarts, step, trouble

SPEC = {
    "nodeName": "node-1",
    "containers": [
        {
            "name": "api",
            "image": "registry/api@sha256:1",
            "resources": {"limits": {"memory": "512Mi"}},
            "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}},
            "startupProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
        }
    ],
}


def pod(state: dict[str, Any], *, spec: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    container = {"name": "api", "ready": False, "started": True, "restartCount": 0, "state": state} | status
    conditions = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "False"}]
    return {
        "metadata": {"name": "api-1"},
        "spec": spec or SPEC,
        "status": {"phase": "Running", "conditions": conditions, "containerStatuses": [container]},
    }


def waiting(reason: str, message: str = "", **status: Any) -> dict[str, Any]:
    return pod({"waiting": {"reason": reason, "message": message}}, **status)


RUNNING = {"running": {"startedAt": "2026-11-26T00:00:00Z"}}


def ended(code: int, reason: str = "Error") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason}}


@pytest.mark.parametrize(
    ("found", "kind", "says", "hopeless"),
    [
        (waiting("ErrImagePull", "manifest unknown: manifest unknown"), "image", "manifest unknown", True),
        (waiting("ImagePullBackOff", 'Back-off pulling image "x"'), "image", "registry/api@sha256:1", False),
        (waiting("ErrImagePull", "dial tcp: i/o timeout"), "image", "timeout", False),
        (waiting("InvalidImageName"), "image", "InvalidImageName", True),
        (waiting("CreateContainerConfigError", 'configmap "api-1" not found'), "container", "not found", True),
        (waiting("CreateContainerError", "context deadline exceeded"), "container", "deadline", False),
        (waiting("CrashLoopBackOff", restartCount=1, lastState=ended(5)), "crash", "exit code 5", False),
        (waiting("CrashLoopBackOff", restartCount=2, lastState=ended(5)), "crash", "2 times so far", True),
        (waiting("CrashLoopBackOff", restartCount=3, lastState=ended(139)), "crash", "native code", True),
        (waiting("CrashLoopBackOff", restartCount=2, lastState=ended(137, "OOMKilled")), "memory", "512Mi", True),
        (pod(RUNNING, restartCount=2, lastState=ended(5)), "crash", "exit code 5", False),
        (pod(ended(1), restartCount=0), "crash", "exit code 1", False),
        (pod(RUNNING, started=False), "probe", "startup probe (GET /healthz)", False),
        (pod(RUNNING), "probe", "readiness probe (GET /readyz)", False),
    ],
)
def test_the_reason_is_told_and_whether_waiting_helps(
    found: dict[str, Any], kind: str, says: str, hopeless: bool
) -> None:
    told = trouble(found)
    assert told and (told.kind, told.hopeless) == (kind, hopeless)
    assert says in str(told) and str(told).startswith("api-1 ")


def test_a_probe_s_own_words_are_those_of_the_last_event() -> None:
    events = [{"reason": "Unhealthy", "message": "old"}, {"reason": "Unhealthy", "message": "HTTP probe failed: 503"}]
    told = trouble(pod(RUNNING), [*events, {"reason": "Pulled", "message": "x"}])
    assert told and told.what.endswith("HTTP probe failed: 503") and told.logs == "now"


def test_whose_log_says_more_depends_on_who_is_there() -> None:
    running, down = pod(RUNNING, restartCount=1, lastState=ended(5)), waiting("CrashLoopBackOff", lastState=ended(5))
    assert [one and one.logs for one in (trouble(running), trouble(down))] == ["before", "now"]


def test_a_pod_that_no_node_takes_says_why() -> None:
    found = pod({}, spec={"containers": SPEC["containers"]})
    found["status"] = {
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/2 nodes: Insufficient cpu"}],
    }
    told = trouble(found)
    assert told and told.kind == "node" and "Insufficient cpu" in told.what and not told.hopeless
    assert step(found) == "waiting for a node"


def test_a_gate_of_the_load_balancer_is_a_reason_too() -> None:
    gate = "target-health.elbv2.k8s.aws/api"
    found = pod(RUNNING, spec={**SPEC, "readinessGates": [{"conditionType": gate}]}, ready=True)
    found["status"]["conditions"].append({"type": gate, "status": "False", "message": "Target registration"})
    told = trouble(found)
    assert told and told.kind == "gate" and "Target registration" in told.what


def test_an_evicted_pod_says_what_its_node_lacked() -> None:
    found = pod({})
    found["status"] |= {"phase": "Failed", "reason": "Evicted", "message": "low on ephemeral-storage"}
    told = trouble(found)
    assert told and told.kind == "evicted" and "ephemeral-storage" in told.what
    assert step(found) == "ended"


def test_a_ready_pod_has_no_trouble_and_one_that_leaves_is_not_ready() -> None:
    found = pod(RUNNING, ready=True, restartCount=3)
    found["status"]["conditions"][1]["status"] = "True"
    assert is_ready(found) and trouble(found) is None and step(found) == "ready" and restarts(found) == 3
    found["metadata"]["deletionTimestamp"] = "2026-11-26T00:00:00Z"
    assert not is_ready(found) and step(found) == "leaving"


def test_a_pod_that_just_starts_has_no_trouble() -> None:
    assert trouble(waiting("ContainerCreating")) is None
    assert step(waiting("ContainerCreating")) == "starting"
