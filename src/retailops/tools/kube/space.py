"""One namespace, by what a job needs of it: objects by their names, what pods log as it grows, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from retailops.tools.kube.cluster import Cluster, Ref
from retailops.tools.kube.refusals import Changed
from retailops.tools.kube.wire import MERGE

_VERSIONS = {"Job": "batch/v1", "NetworkPolicy": "networking.k8s.io/v1"}
_BYTES = "application/octet-stream"


class Space:
    """Every call may raise what Cluster's may."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster = cluster
        self.name = name

    def create(self, wanted: Mapping[str, Any]) -> bool:
        """Make it; False when one of that name stands already, which is left as it is."""
        try:
            self._cluster.create(wanted)
        except Changed:
            return False
        return True

    def apply(self, wanted: Mapping[str, Any]) -> None:
        """Have it be as wanted, whoever said otherwise before."""
        self._cluster.apply(wanted, force=True)

    def read(self, kind: str, name: str) -> dict[str, Any] | None:
        return self._cluster.read(self._ref(kind, name))

    def listed(self, kind: str, labels: Mapping[str, str] | None = None, fields: str = "") -> list[dict[str, Any]]:
        """Those that carry all labels, oldest first."""
        found = self._cluster.items(_VERSIONS.get(kind, "v1"), kind, self.name, labels, fields)
        return sorted(found, key=lambda each: str(each["metadata"].get("creationTimestamp")))

    def merge(self, kind: str, name: str, change: Mapping[str, Any]) -> None:
        """Change some of an object. Nothing there is success."""
        ref = self._ref(kind, name)
        self._cluster.wire.json("PATCH", ref.path, None, dict(change), MERGE, f"change {ref}", fine=404)

    def delete(self, kind: str, name: str, uid: str = "") -> None:
        """Ask for its deletion, and of what it owns. Nothing there, or with `uid` another of that name, is success."""
        ref = self._ref(kind, name)
        body = {"propagationPolicy": "Background", **({"preconditions": {"uid": uid}} if uid else {})}
        try:
            self._cluster.wire.json("DELETE", ref.path, body=body, doing=f"delete {ref}", fine=404)
        except Changed:
            return

    def log(self, pod: str, container: str, since: str = "") -> list[str]:
        """Lines, each behind the moment of its writing, from the second `since` (RFC 3339) on.

        Nothing while there is nothing to read: the container hasn't begun, or its node doesn't show its log.
        """
        query = {"container": container, "timestamps": "true", **({"sinceTime": since} if since else {})}
        status, answer = self._cluster.wire.ask("GET", f"{self._ref('Pod', pod).path}/log", query)
        return answer.decode(errors="replace").splitlines() if status == 200 else []

    def say(
        self, pod: str, port: int, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        """What a pod answers over HTTP, by way of the API server; 502 or 503 while nobody listens there."""
        place = f"{self._ref('Pod', pod).path}:{port}/proxy/{quote(path)}"
        return self._cluster.wire.ask(method, place, body=body, content=_BYTES, headers=headers)

    def _ref(self, kind: str, name: str) -> Ref:
        return Ref(_VERSIONS.get(kind, "v1"), kind, name, "" if kind == "Namespace" else self.name)
