"""Floor 3: the few words with a Kubernetes API that every cloud's cluster understands.

with kube.connect(endpoint, certificate, token) as cluster:
    for each in cluster.entrances():
        cluster.delete(each)
"""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from retailops.errors import TargetFailed

_TIMEOUT_S = (5, 30)  # to connect, to answer


class Unreachable(TargetFailed):
    """The cluster's API doesn't answer from here, or not to us."""


@dataclass(frozen=True)
class Entrance:
    """A way into the cluster for which somebody outside it keeps a load balancer."""

    kind: Literal["Ingress", "Service"]
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@contextmanager
def connect(endpoint: str, certificate: str, token: str) -> Iterator[Cluster]:
    """The cluster behind `endpoint`; `certificate` is its CA in base64, as clouds hand it out. No call is made yet."""
    from kubernetes import client

    with tempfile.TemporaryDirectory() as folder:
        configuration = client.Configuration()
        configuration.host = endpoint
        configuration.api_key = {"authorization": f"Bearer {token}"}
        configuration.retries = False
        if certificate:
            authority = Path(folder) / "ca.crt"
            authority.write_bytes(base64.b64decode(certificate))
            configuration.ssl_ca_cert = str(authority)
        with client.ApiClient(configuration) as api:
            yield Cluster(api)


class Cluster:
    """Every question may raise Unreachable."""

    def __init__(self, api: Any) -> None:
        from kubernetes import client

        self._core = client.CoreV1Api(api)
        self._network = client.NetworkingV1Api(api)

    def entrances(self) -> list[Entrance]:
        """All Ingresses, and Services of the type LoadBalancer, of all namespaces; those being deleted included."""
        ingresses = _items(self._network.list_ingress_for_all_namespaces)
        services = _items(self._core.list_service_for_all_namespaces)
        balanced = [each for each in services if each.get("spec", {}).get("type") == "LoadBalancer"]
        return [_entrance("Ingress", each) for each in ingresses] + [_entrance("Service", each) for each in balanced]

    def delete(self, entrance: Entrance) -> None:
        """Ask for its deletion; its controller removes the load balancer first. Nothing there is success."""
        if entrance.kind == "Ingress":
            delete = self._network.delete_namespaced_ingress
        else:
            delete = self._core.delete_namespaced_service
        _call(delete, entrance.name, entrance.namespace)

    def manifest(self, entrance: Entrance) -> dict[str, Any]:
        """What it was asked to be, without what the cluster added: fit for `restore`."""
        if entrance.kind == "Ingress":
            found = _call(self._network.read_namespaced_ingress, entrance.name, entrance.namespace)
        else:
            found = _call(self._core.read_namespaced_service, entrance.name, entrance.namespace)
        spec = {key: value for key, value in found.get("spec", {}).items() if key not in _ASSIGNED}
        kept = {key: found.get("metadata", {})[key] for key in _KEPT if key in found.get("metadata", {})}
        version = "networking.k8s.io/v1" if entrance.kind == "Ingress" else "v1"
        return {"apiVersion": version, "kind": entrance.kind, "metadata": kept, "spec": spec}

    def restore(self, manifest: dict[str, Any]) -> None:
        """Make it again. There already is success."""
        make: dict[str, Callable[..., Any]] = {
            "Ingress": self._network.create_namespaced_ingress,
            "Service": self._core.create_namespaced_service,
        }
        _call(make[manifest["kind"]], manifest["metadata"]["namespace"], manifest, fine=409)

    def has_nodes(self) -> bool:
        """Whether any node is there on which a controller can run."""
        return bool(_items(self._core.list_node))


_KEPT = ("name", "namespace", "labels", "annotations")
_ASSIGNED = ("clusterIP", "clusterIPs", "healthCheckNodePort")  # the cluster's to give, and gone with the object


def _entrance(kind: Literal["Ingress", "Service"], found: dict[str, Any]) -> Entrance:
    return Entrance(kind, found["metadata"]["namespace"], found["metadata"]["name"])


def _items(ask: Callable[..., Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _call(ask).get("items") or []
    return found


def _call(ask: Callable[..., Any], *words: Any, fine: int = 404) -> dict[str, Any]:
    """The answer as plain JSON, since the client's models refuse what a cluster of another age says differently.

    Empty for the refusal that is `fine`.
    """
    from kubernetes.client.exceptions import ApiException
    from urllib3.exceptions import HTTPError

    try:
        answer = ask(*words, _preload_content=False, _request_timeout=_TIMEOUT_S)
        status = getattr(answer, "status", 200)
        body = answer.data
    except ApiException as problem:
        if problem.status == fine:
            return {}
        raise Unreachable(
            f"The cluster's API refuses: {problem.status} {problem.reason}.",
            "Give these credentials access to the cluster (an access entry), then run this again.",
        ) from problem
    except (HTTPError, OSError) as problem:
        raise Unreachable(
            f"The cluster's API can't be reached from here ({type(problem).__name__}).",
            "Run this from a network that may reach it.",
        ) from problem
    return json.loads(body) if status < 300 and body else {}
