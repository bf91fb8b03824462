"""What Kubernetes says of a pod or a Job, and what it means. Texts as kubelets, schedulers and controllers write them."""

from __future__ import annotations

from typing import Any

import pytest

from retailops.batch import reasons
from retailops.errors import GateFailed


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"status": {"phase": "Pending", "containerStatuses": [{"name": "etl", "state": state}]}}


def ended(code: int, reason: str = "Error", message: str = "") -> dict[str, Any]:
    state = {"terminated": {"exitCode": code, "reason": reason, "message": message}}
    return {"status": {"phase": "Failed", "containerStatuses": [{"name": "etl", "state": state}]}}


def unscheduled(message: str) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return {"status": {"phase": "Pending", "conditions": [condition]}}


EVICTED = {
    "status": {
        "phase": "Failed",
        "reason": "Evicted",
        "message": 'Usage of EmptyDir volume "data" exceeds the limit "2Gi". ',
    }
}
PULL = 'rpc error: code = NotFound desc = failed to pull and unpack image "x": not found'


@pytest.mark.parametrize(
    ("pod", "cause"),
    [
        (waiting("ErrImagePull", PULL), "image"),
        (waiting("ImagePullBackOff", 'Back-off pulling image "x"'), "image"),
        (waiting("InvalidImageName", "couldn't parse image reference"), "image"),
        (waiting("CreateContainerConfigError", 'secret "shop-etl-k1" not found'), "container"),
        (unscheduled("0/3 nodes are available: 3 Insufficient memory."), "room"),
    ],
)
def test_what_hinders_a_pod_is_named(pod: dict[str, Any], cause: str) -> None:
    found = reasons.stuck("shop-etl-k1", reasons.hindrance(pod, []))
    assert found.details["cause"] == cause and "Job shop-etl-k1" in found.what and found.fix


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ('pods "a" is forbidden: exceeded quota: small, requested: limits.memory=812Mi, used: 0, limited: 1', "quota"),
        ('pods "a" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation', "admission"),
        ('pods "a" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi', "quota"),
        ('admission webhook "policy.example.org" denied the request: no', "pod"),
    ],
)
def test_a_job_without_a_pod_is_explained_by_its_events(message: str, cause: str) -> None:
    events = [{"type": "Normal", "reason": "A"}, {"type": "Warning", "reason": "FailedCreate", "message": message}]
    assert reasons.stuck("j", reasons.hindrance(None, events)).details["cause"] == cause
    assert reasons.hindrance(None, events[:1]) == ""


def test_a_pod_that_is_on_its_way_is_not_hindered() -> None:
    for pod in (waiting("ContainerCreating"), waiting("PodInitializing"), {"status": {"phase": "Pending"}}):
        assert reasons.hindrance(pod, []) == ""
    assert reasons.is_about_room(reasons.hindrance(unscheduled("0/1"), []))
    assert not reasons.is_about_room(reasons.hindrance(waiting("ErrImagePull"), []))


@pytest.mark.parametrize(
    ("pod", "why", "cause", "word"),
    [
        (ended(137, "OOMKilled"), "OOMKilled", "memory", "etl.memory_mb"),
        (EVICTED, "BackoffLimitExceeded: it failed", "disk", "disk"),
        ({"status": {"phase": "Failed", "reason": "Preempting", "message": "for another"}}, "", "evicted", "node"),
        (ended(143), "DeadlineExceeded: Job was active longer than specified deadline", "time", "etl.max_minutes"),
        (ended(1), "BackoffLimitExceeded: Job has reached the specified backoff limit", "", "log"),
    ],
)
def test_an_end_without_a_word_is_explained(pod: dict[str, Any], why: str, cause: str, word: str) -> None:
    found = reasons.death("j", reasons.ending(pod), why, ["the last line"], "here.log", pods=4)
    assert found.details["cause"] == cause and word in found.fix
    assert "the last line" in found.what and "here.log" in found.what


def test_last_words_come_whole_or_not_at_all() -> None:
    told = reasons.from_message('{"code": 4, "what": "Too many rows.", "fix": "Look."}\n')
    assert isinstance(told, GateFailed) and (told.what, told.fix) == ("Too many rows.", "Look.")
    for text in ("", "a library prints", '{"code": 4, "what": "Too ma', '{"code": "x"}'):
        assert reasons.from_message(text) is None


def test_how_a_job_stands_is_read_from_its_conditions() -> None:
    def job(*conditions: dict[str, str]) -> dict[str, Any]:
        return {"status": {"conditions": list(conditions)}}

    assert reasons.condition({}) == reasons.condition(job()) == ("", "", "")
    going = {"type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded"}
    assert reasons.condition(job(going))[0] == "", "its pods are still ending"
    assert reasons.condition(job({"type": "Complete", "status": "True"}))[0] == "Complete"
    failed = {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "late"}
    assert reasons.condition(job(failed)) == ("Failed", "DeadlineExceeded", "late")
    assert reasons.ending(ended(3)) == reasons.Ending(3, "Error", "")
    assert reasons.ending({"status": {"phase": "Running", "containerStatuses": []}}) is None
