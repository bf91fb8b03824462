"""What befalls an API on Kubernetes, under constant load: nobody's request fails, whatever the change is worth.

Every case prints how many requests there were and how many failed. The last one is a control: an API without probe and
preStop does lose requests, so a test that saw none would have seen nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from clusters import Load, until
from retailops.errors import TargetFailed
from retailops.progress import Silent
from retailops.rollout.change import Steps
from rollout.shop import Shop, Told

pytestmark = pytest.mark.slow

UNPROVED = Steps(candidate=False, look_s=0.3, bake_look_s=1)
Spoiling = Callable[[dict[str, Any]], None]


@contextmanager
def loaded(shop: Shop, case: str) -> Iterator[Load]:
    with shop.load() as load:
        yield load
        until(lambda: load.total >= 60, 60, "some requests")
    print(f"{case}: {load}")
    assert load.total and not load.failed, load.failures[:5]


def never_ready(deployment: dict[str, Any]) -> None:
    deployment["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["httpGet"]["path"] = "/nowhere"


def crashing(deployment: dict[str, Any]) -> None:
    deployment["spec"]["template"]["spec"]["containers"][0]["args"][0] = "--bundle=/nowhere"


def elsewhere(deployment: dict[str, Any]) -> None:
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["image"] = container["image"].partition("@")[0] + "@sha256:" + "0" * 64


# Fault → how it is made, what is said, what kind it is, and how long it is waited for: only what might still come.
FAULTS: dict[str, tuple[Spoiling, str, str, str]] = {
    "never ready": (never_ready, "got no further.*probe", "probe", "10"),
    "crash loop": (crashing, "ended with exit code", "crash", "150"),
    "no image": (elsewhere, "can't get its image", "image", "150"),
}


def test_a_first_deploy_serves_with_all_its_pods(live: Shop) -> None:
    with loaded(live, "first deploy"):
        found = live.serving(1).endpoint()
        assert found and (found.version, found.state, found.settings["deploy.max_lines"]) == (1, "ready", 500)
        assert [(each["version"], each["ready"]) for each in found.detail["pods"]] == [(1, True)] * 2
        assert not found.detail["drift"] and found.detail["p95_ms"] > 0
        assert found.detail["scaling"]["min"] == 2
        assert "port-forward" in found.detail["reach"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_version_doesn_t_get_past_its_candidate(live: Shop, fault: str) -> None:
    spoilt, match, why, patience = FAULTS[fault]
    before = {each["metadata"]["uid"] for each in live.pods()}
    with loaded(live, f"{fault}, before traffic moves"):
        with pytest.raises(TargetFailed, match=f"(?s){match}") as caught:
            live.serving(2, spoilt, deploy__kubernetes__deadline_s=patience).roll_out(live.models[2], Silent())
        assert caught.value.details["why"] == why
        assert "Version 1 keeps serving: it wasn't touched" in caught.value.fix
    assert {each["metadata"]["uid"] for each in live.pods()} == before
    assert not live.cluster.pods(live.namespace, "app.kubernetes.io/name=api-candidate")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_version_that_turns_out_bad_half_way_is_undone(live: Shop, fault: str) -> None:
    spoilt, match, _, patience = FAULTS[fault]
    told = Told()
    with loaded(live, f"{fault}, undone half way"):
        with pytest.raises(TargetFailed, match=f"(?s){match}") as caught:
            live.serving(2, spoilt, UNPROVED, deploy__kubernetes__deadline_s=patience).roll_out(live.models[2], told)
        assert "It was undone: version 1 keeps serving, with all its pods" in caught.value.fix
        assert "undoing" in told.stages
    assert live.cluster.ready(live.namespace, "api")
    found = live.serving(1).endpoint()
    assert found and (found.version, found.detail["rolling"], found.before) == (1, None, ())


def test_a_good_update_replaces_every_pod_and_going_back_brings_back_model_and_limits(live: Shop) -> None:
    with loaded(live, "update and rollback") as load:
        found = live.serving(2, deploy__max_lines="400").roll_out(live.models[2], Silent())
        assert (found.version, found.settings["deploy.max_lines"]) == (2, 400)
        assert [each.version for each in found.before] == [1]
        until(lambda: load.versions[2] > 10, 60, "answers of version 2")
        back = live.serving(1).roll_back(None, Silent())
        assert (back.version, back.settings["deploy.max_lines"], back.returned) == (1, 500, True)
        assert [each.version for each in back.before] == [2]
        seen = load.versions[1]
        until(lambda: load.versions[1] > seen + 10, 60, "answers of version 1")
        again = live.serving(1).roll_back(None, Silent())
        assert again.version == 1, "repeating it goes neither further back nor forth"


def test_a_drained_node_is_left_one_pod_at_a_time(live: Shop) -> None:
    node = str(live.pods()[0]["spec"]["nodeName"])
    with loaded(live, "drained node"), cordoned(live, node):
        leaving = [each["metadata"]["name"] for each in live.pods() if each["spec"]["nodeName"] == node]
        for pod in leaving:
            until(lambda pod=pod: evicted(live, pod), 60, f"the eviction of {pod}")  # type: ignore[misc]
        until(lambda: elsewhere(live, node), 60, "all pods elsewhere")


def elsewhere(shop: Shop, node: str) -> bool:
    """Whether every pod has its place on another node, and they are all there."""
    places = [each["spec"].get("nodeName", node) for each in shop.pods()]
    return node not in places and shop.cluster.ready(shop.namespace, "api")


@contextmanager
def cordoned(shop: Shop, node: str) -> Iterator[None]:
    """Nothing new goes there. Other tests share the cluster: so briefly, and surely taken back."""
    path, content = f"/api/v1/nodes/{node}", "application/merge-patch+json"
    assert shop.cluster.ask("PATCH", path, {"spec": {"unschedulable": True}}, content).fine
    try:
        yield
    finally:
        assert shop.cluster.ask("PATCH", path, {"spec": {"unschedulable": None}}, content).fine


def evicted(shop: Shop, pod: str) -> bool:
    """What kubectl drain does: the disruption budget may say no for now."""
    version = "policy/v1" if "policy/v1" in shop.cluster.served else "policy/v1beta1"
    path = f"/api/v1/namespaces/{shop.namespace}/pods/{pod}/eviction"
    body = {"apiVersion": version, "kind": "Eviction", "metadata": {"name": pod, "namespace": shop.namespace}}
    return shop.cluster.ask("POST", path, body).status in (201, 404)


def test_the_control_an_api_without_probe_and_pre_stop_loses_requests(live: Shop) -> None:
    """Applied by hand, since the rollout would refuse it: the load does see a fault."""

    def naive(number: int) -> dict[str, Any]:
        container = {
            "name": "api",
            "image": live.images[1],
            "command": ["python", "-m", "retailops.serving", "--bundle=/bundle", f"--version={number}"],
            "args": ["--log-folder=/tmp/logs", "--host=0.0.0.0", "--port=8080", "--drain-s=0"],
            "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        }
        labels = {"app": "naive"}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "naive", "namespace": live.namespace},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        }

    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "naive", "namespace": live.namespace},
        "spec": {
            "selector": {"app": "naive"},
            "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}],
        },
    }
    live.cluster.apply(naive(1), service)
    until(lambda: live.cluster.ready(live.namespace, "naive"), 150, "the naive API")
    live.answering("naive")
    with live.load("naive") as load:
        live.cluster.apply(naive(2))
        until(lambda: load.versions[2] > 20, 150, "answers of its next version")
    print(f"naive control, which is to fail: {load}")
    assert load.failed
