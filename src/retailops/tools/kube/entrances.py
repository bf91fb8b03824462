"""Ways into a cluster for which somebody outside it keeps a load balancer: teardown, park and wake ask for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from retailops.tools.kube.cluster import Cluster, Ref
from retailops.tools.kube.refusals import Changed

_VERSIONS = {"Ingress": "networking.k8s.io/v1", "Service": "v1"}
_KEPT = ("name", "namespace", "labels", "annotations")
_ASSIGNED = ("clusterIP", "clusterIPs", "healthCheckNodePort")  # the cluster's to give, and gone with the object


@dataclass(frozen=True)
class Entrance:
    """An Ingress, or a Service of the type LoadBalancer."""

    kind: Literal["Ingress", "Service"]
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def ref(self) -> Ref:
        return Ref(_VERSIONS[self.kind], self.kind, self.name, self.namespace)


def entrances(cluster: Cluster) -> list[Entrance]:
    """Those of all namespaces; those being deleted included."""
    ingresses = cluster.items(_VERSIONS["Ingress"], "Ingress")
    services = cluster.items(_VERSIONS["Service"], "Service")
    balanced = [each for each in services if each.get("spec", {}).get("type") == "LoadBalancer"]
    return [_entrance("Ingress", each) for each in ingresses] + [_entrance("Service", each) for each in balanced]


def delete_entrance(cluster: Cluster, entrance: Entrance) -> None:
    """Ask for its deletion; its controller removes the load balancer first. Nothing there is success."""
    cluster.delete(entrance.ref)


def manifest(cluster: Cluster, entrance: Entrance) -> dict[str, Any]:
    """What it was asked to be, without what the cluster added: fit for `restore`."""
    found = cluster.read(entrance.ref) or {}
    spec = {key: value for key, value in found.get("spec", {}).items() if key not in _ASSIGNED}
    kept = {key: found.get("metadata", {})[key] for key in _KEPT if key in found.get("metadata", {})}
    return {"apiVersion": _VERSIONS[entrance.kind], "kind": entrance.kind, "metadata": kept, "spec": spec}


def restore(cluster: Cluster, made: dict[str, Any]) -> None:
    """Make it again. There already is success."""
    try:
        cluster.create(made)
    except Changed:
        return


def has_nodes(cluster: Cluster) -> bool:
    """Whether any node is there on which a controller can run."""
    return bool(cluster.items("v1", "Node"))


def _entrance(kind: Literal["Ingress", "Service"], found: dict[str, Any]) -> Entrance:
    return Entrance(kind, found["metadata"]["namespace"], found["metadata"]["name"])
