"""The autoscaler of the manifests, on a real control plane: 2 pods become 5 under load and 2 again, and nobody notices.

Pods are real containers of the real image. As rendered but for two things: names and API versions that the cluster has
(clusters.aged), and the pace of scaling down, which takes eight minutes as it is shipped (300 s of looking back, then a
pod a minute) and a quarter of one here. On the cluster tools the numbers that the controller reads come from a stand-in
for metrics-server, which measures the containers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from clusters import Cluster, Load, ServingImage, batch, until
from clusters.cluster import quantity
from retailops.config import Config
from sound_manifests import objects_of, rendered, written

CPU = 0.1  # cores that a pod asks for; it may use twice as many
LOAD = 3.1 * CPU  # more than 4 pods should have at 70 %, less than 2 can give


def _down(window_s: int, pace_s: int) -> dict[str, Any]:
    one = {"type": "Pods", "value": 1, "periodSeconds": pace_s}
    return {"stabilizationWindowSeconds": window_s, "selectPolicy": "Min", "policies": [one]}


SHIPPED, QUICK = _down(300, 60), _down(5, 5)


def scaled(found: Mapping[str, Any]) -> dict[str, Any]:
    """The object; an autoscaler loses its patience."""
    if found["kind"] != "HorizontalPodAutoscaler":
        return dict(found)
    spec = found["spec"]
    assert spec["behavior"]["scaleDown"] == SHIPPED
    return {**found, "spec": {**spec, "behavior": {**spec["behavior"], "scaleDown": QUICK}}}


def used(cluster: Cluster, namespace: str) -> float:
    """Cores, of all pods together."""
    found = cluster.read(f"/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods").get("items", [])
    return sum(quantity(each["usage"]["cpu"]) for pod in found for each in pod["containers"])


def serving(cluster: Cluster, namespace: str) -> int:
    """Pods that are ready."""
    conditions = [each.get("status", {}).get("conditions", []) for each in cluster.pods(namespace)]
    return sum({"Ready": "True"}.items() <= {one["type"]: one["status"] for one in each}.items() for each in conditions)


@pytest.mark.slow
def test_load_makes_five_pods_of_two_and_its_end_two_again_without_a_failed_request(
    cluster: Cluster, serving_image: ServingImage, configured: Callable[[str], Config], tell: Callable[[str], None]
) -> None:
    if "metrics.k8s.io/v1beta1" not in cluster.served:
        pytest.skip("the cluster measures no pods: it has no metrics-server")
    size = {"cpu": CPU, "memory_mb": 512, "replicas_min": 2, "replicas_max": 5}
    project = "project: {name: retail-scaling, environment: dev}\n"
    config = configured(project + written(context=cluster.context, image=serving_image.reference, **size))
    with cluster.namespace("retail-scaling-dev") as namespace:
        cluster.apply(*map(scaled, objects_of(rendered(config))))
        until(lambda: serving(cluster, namespace) == 2, 300, "two pods")
        try:
            until(lambda: used(cluster, namespace), 120, "the first measure")
        except AssertionError:
            pytest.skip("the cluster's metrics API says nothing of pods that run")
        address = cluster.address(namespace, "api", 80)
        heavy = [batch(serving_image.bundle, 50)]
        until(lambda: answers(address, heavy), 60, "the first answer")
        with Load(address, heavy, rps=10, path="/predict/batch") as running:
            measured = [0.0]

            def five() -> bool:
                """Ask for as much as is wanted; what the pods use is measured anew every few seconds."""
                if (now := used(cluster, namespace)) not in (0, measured[-1]):
                    measured.append(now)
                    running.rps *= min(2.0, LOAD / now)
                return serving(cluster, namespace) == 5

            until(five, 300, "five pods")
            grown, running.rps = running.seconds, 2
            until(lambda: len(cluster.pods(namespace)) == 2, 300, "two pods again")
            until(lambda: not cluster.pods(namespace, leaving=True), 120, "the end of three pods")
            shrunk = running.seconds
    tell(f"HPA 2 → 5 in {grown:.0f} s → 2 in {shrunk - grown:.0f} s: {running}")
    assert running.total > 50 and not running.failed, running.failures[:5]


def answers(address: str, bodies: list[bytes]) -> bool:
    with Load(address, bodies, rps=1, threads=1, path="/predict/batch") as first:
        until(lambda: first.total)
    return not first.failed
