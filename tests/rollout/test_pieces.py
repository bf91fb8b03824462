"""Rollouts without a cluster: what is made of a template, what a Deployment remembers, where things differ."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from retailops import config as configuration
from retailops import manifests, targets
from retailops.config import Config
from retailops.errors import NotReady, TargetFailed, UsageError
from retailops.rollout import standing
from retailops.rollout.candidate import pod_of, policies_for
from retailops.rollout.removal import NamespaceRemoval
from retailops.rollout.revisions import Revision, Revisions
from retailops.rollout.serving import KubernetesServing, _earlier
from retailops.rollout.site import Site
from retailops.rollout.undoing import with_template
from retailops.tools import kube
from retailops.tools.kube import Cluster
from sound_manifests import MODEL, objects_of


def nowhere() -> AbstractContextManager[Cluster]:
    return kube.connect("http://127.0.0.1:9", "", "token")


SITE = Site(nowhere, "shop-dev", "shop-dev", "kubectl --namespace shop-dev")


def of_version(version: int, proven: str = "", ready: int = 0, returned: bool = False, config: str = "") -> Revision:
    annotations = {"retailops/proven": proven} if proven else {}
    return Revision(
        {
            "metadata": {
                "name": f"api-{version}{proven[-1:]}",
                "namespace": "shop-dev",
                "annotations": annotations | ({"retailops/returned": "true"} if returned else {}),
            },
            "spec": {
                "template": {
                    "metadata": {
                        "labels": {"app.kubernetes.io/version": str(version), "pod-template-hash": "1a"},
                        "annotations": {"retailops/bundle": f"hash-{version}"},
                        "creationTimestamp": None,
                    },
                    "spec": {
                        "containers": [
                            {"image": "r/api@sha256:1", "envFrom": [{"configMapRef": {"name": config or "api-0"}}]}
                        ]
                    },
                }
            },
            "status": {"readyReplicas": ready},
        }
    )


ONE, TWO = of_version(1, "2026-11-01"), of_version(2, "2026-11-02", ready=2)
HALF = of_version(3, ready=1)


def test_a_template_comes_back_without_what_the_cluster_put_into_it() -> None:
    assert ONE.template["metadata"] == {
        "labels": {"app.kubernetes.io/version": "1"},
        "annotations": {"retailops/bundle": "hash-1"},
    }
    assert (ONE.version, ONE.bundle_hash, ONE.config) == (1, "hash-1", "api-0")


def test_what_was_proved_last_is_live_while_another_version_is_half_way() -> None:
    found = Revisions(HALF, (HALF, ONE, TWO))
    assert found.live == TWO and found.before(TWO) == [ONE]


def test_before_anything_was_proved_whatever_is_ready_is_live() -> None:
    assert Revisions(HALF, (HALF,)).live == HALF
    assert Revisions(None, ()).live is None
    assert Revisions(of_version(3), (of_version(3),)).live is None


def test_going_back_goes_one_back_and_no_further_when_it_is_repeated() -> None:
    assert _earlier(Revisions(TWO, (ONE, TWO)), None) == ONE
    again = of_version(1, "2026-11-03", ready=2, returned=True)
    assert _earlier(Revisions(again, (again, TWO)), None) == again
    assert _earlier(Revisions(again, (again, TWO)), 2) == TWO


def test_what_isn_t_remembered_can_t_be_gone_back_to() -> None:
    with pytest.raises(NotReady, match="Nothing served before"):
        _earlier(Revisions(TWO, (TWO,)), None)
    with pytest.raises(UsageError, match="doesn't remember version 9") as caught:
        _earlier(Revisions(TWO, (ONE, TWO, HALF)), 9)
    assert "It remembers: 1, 2." in caught.value.fix, "what never proved itself isn't offered"


def test_config_maps_of_remembered_templates_stay() -> None:
    kept, gone = "api-0123456789", "api-abcdef0123"
    found = Revisions(TWO, (of_version(1, "2026", config=kept), TWO))
    assert found.forgotten([kept, gone, "api-settings", "somebody-else"], TWO.template) == [gone]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "retail.yaml"
    path.write_text("version: 1\nproject: {name: shop, environment: dev}\n")
    return configuration.load(path, targets=targets.settings(), algorithms=["xgboost"], environ={})


@pytest.fixture
def objects(config: Config) -> list[dict[str, Any]]:
    return [dict(each) for each in objects_of(manifests.elsewhere(config, MODEL, f"r/api@sha256:{'a' * 64}"))]


def test_no_service_budget_or_autoscaler_sees_the_candidate(objects: list[dict[str, Any]]) -> None:
    deployment = next(each for each in objects if each["kind"] == "Deployment")
    pod = pod_of(deployment["spec"]["template"], SITE)
    labels = pod["metadata"]["labels"]
    chosen = [each["spec"]["selector"] for each in objects if each["kind"] in ("Service", "PodDisruptionBudget")]
    selectors = [deployment["spec"]["selector"]["matchLabels"]] + [each.get("matchLabels", each) for each in chosen]
    assert len(selectors) == 3 and not any(each.items() <= labels.items() for each in selectors)
    (container,) = pod["spec"]["containers"]
    (original,) = deployment["spec"]["template"]["spec"]["containers"]
    assert {key: value for key, value in original.items() if key != "lifecycle"} == container
    assert "lifecycle" in original, "the template isn't changed"


def test_network_policies_hold_for_the_candidate_by_copies(objects: list[dict[str, Any]]) -> None:
    template = next(each for each in objects if each["kind"] == "Deployment")["spec"]["template"]
    policies = [each for each in objects if each["kind"] == "NetworkPolicy"]
    (copy,) = policies_for(policies, template, SITE)
    assert copy["spec"]["podSelector"]["matchLabels"].items() <= pod_of(template, SITE)["metadata"]["labels"].items()
    assert copy["spec"]["egress"] == policies[0]["spec"]["egress"]
    everybody = {**policies[0], "spec": {**policies[0]["spec"], "podSelector": {}}}
    assert policies_for([everybody], template, SITE) == [], "it holds for the candidate as it is"


def test_the_number_of_pods_is_left_to_the_autoscaler_on_the_way_back(objects: list[dict[str, Any]]) -> None:
    deployment = next(each for each in objects if each["kind"] == "Deployment")
    live = {**deployment, "spec": {**deployment["spec"], "replicas": 5, "paused": True}, "status": {}}
    back = with_template(live, ONE.template)
    assert "replicas" not in back["spec"] and "status" not in back and back["spec"]["template"] == ONE.template


def test_where_two_objects_differ_is_told_by_path() -> None:
    left = {"replicas": 2, "ports": [{"name": "http", "port": 80}], "same": {"a": 1}}
    right = {"replicas": 3, "ports": [{"name": "http", "port": 81}], "same": {"a": 1}, "new": True}
    assert standing.differences(left, right, ".spec") == [".spec.new", ".spec.ports[0].port", ".spec.replicas"]
    assert standing.differences(left, left, ".spec") == []


def test_a_cluster_that_doesn_t_answer_has_an_endpoint_that_says_so(config: Config) -> None:
    serving = KubernetesServing(config, SITE, None, None, list)  # type: ignore[arg-type]
    found = serving.endpoint()
    assert found and (found.version, found.state) == (0, "unreachable")
    assert "can't be reached" in found.detail["why"]


def test_teardown_without_its_cluster_says_what_to_do_when_it_is_gone_for_good() -> None:
    with pytest.raises(TargetFailed, match="nobody can tell whether the namespace shop-dev is there") as caught:
        NamespaceRemoval(SITE).removals()
    assert "clear deploy.kubernetes.context" in caught.value.fix
