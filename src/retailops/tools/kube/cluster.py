"""A cluster's objects and pods, with nothing remembered between two calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

from retailops.errors import TargetFailed
from retailops.tools.kube.wire import ANSWER_S, APPLY, MERGE, Wire

MANAGER = "retailops"  # the name under which what we set is ours
_CLUSTER_WIDE = ("Namespace", "Node")
_PAGE = 500


@dataclass(frozen=True)
class Ref:
    """Which object."""

    api_version: str
    kind: str
    name: str = ""
    namespace: str = ""

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        metadata = found["metadata"]
        space = "" if found["kind"] in _CLUSTER_WIDE else metadata.get("namespace", "")
        return cls(found["apiVersion"], found["kind"], metadata.get("name", ""), space)

    @property
    def path(self) -> str:
        group = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        space = f"/namespaces/{quote(self.namespace)}" if self.namespace else ""
        return f"{group}{space}/{_plural(self.kind)}{f'/{quote(self.name)}' if self.name else ''}"

    def __str__(self) -> str:
        return f"{self.kind} {f'{self.namespace}/' if self.namespace else ''}{self.name}"


class Cluster:
    """Every call may raise Unreachable, Refused or Rejected; see refusals.py."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    @property
    def address(self) -> str:
        return self.wire.host

    def apply(self, wanted: Mapping[str, Any], *, dry: bool = False, force: bool = False) -> dict[str, Any]:
        """Server-side apply: our fields become what `wanted` says, others' stay. `dry` changes nothing.

        Conflict when one of these fields is somebody else's; with `force` it becomes ours.
        """
        ref = Ref.of(wanted)
        query = {"fieldManager": MANAGER, "force": str(force).lower(), **({"dryRun": "All"} if dry else {})}
        return self.wire.json("PATCH", ref.path, query, dict(wanted), APPLY, f"apply {ref}") or {}

    def read(self, ref: Ref) -> dict[str, Any] | None:
        """The object as it is now; None when there is none."""
        return self.wire.json("GET", ref.path, doing=f"read {ref}", fine=404)

    def items(
        self,
        api_version: str,
        kind: str,
        namespace: str = "",
        labels: Mapping[str, str] | None = None,
        fields: str = "",
    ) -> list[dict[str, Any]]:
        """All objects of a kind, of all namespaces where none is given; those with all these labels, where some are."""
        ref = Ref(api_version, kind, namespace=namespace)
        query: dict[str, Any] = {"limit": _PAGE}
        if labels:
            query["labelSelector"] = ",".join(f"{key}={value}" for key, value in labels.items())
        if fields:
            query["fieldSelector"] = fields
        found: list[dict[str, Any]] = []
        while True:
            page = self.wire.json("GET", ref.path, query, doing=f"list {_plural(kind)}", fine=404) or {}
            # A list says once what its items are; each of ours is an object by itself.
            found += [{"apiVersion": api_version, "kind": kind, **each} for each in page.get("items") or []]
            query["continue"] = (page.get("metadata") or {}).get("continue")
            if not query["continue"]:
                return found

    def create(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Make it. Changed when one of that name is there."""
        ref = Ref.of(wanted)
        path = Ref(ref.api_version, ref.kind, namespace=ref.namespace).path
        return self.wire.json("POST", path, {"fieldManager": MANAGER}, dict(wanted), doing=f"create {ref}") or {}

    def replace(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Put it in the place of what was read. Changed when somebody did so in between."""
        ref = Ref.of(wanted)
        return self.wire.json("PUT", ref.path, {"fieldManager": MANAGER}, dict(wanted), doing=f"replace {ref}") or {}

    def annotate(self, ref: Ref, annotations: Mapping[str, str | None]) -> None:
        """Set these annotations, and no others; None takes one away. Gone is success."""
        body = {"metadata": {"annotations": dict(annotations)}}
        query = {"fieldManager": f"{MANAGER}-notes"}
        self.wire.json("PATCH", ref.path, query, body, MERGE, f"annotate {ref}", fine=404)

    def delete(self, ref: Ref, grace_s: int | None = None) -> None:
        """Ask for its deletion, with what belongs to it. Nothing there is success."""
        body: dict[str, Any] = {"propagationPolicy": "Background"}
        if grace_s is not None:
            body["gracePeriodSeconds"] = grace_s
        self.wire.json("DELETE", ref.path, body=body, doing=f"delete {ref}", fine=404)

    def events(self, namespace: str, name: str) -> list[dict[str, Any]]:
        """What was noted of an object, oldest first; none where these credentials may not see them."""
        try:
            found = self.items("v1", "Event", namespace, fields=f"involvedObject.name={name}")
        except TargetFailed:
            return []
        return sorted(found, key=lambda each: str(each.get("lastTimestamp") or each.get("eventTime") or ""))

    def log(self, namespace: str, pod: str, lines: int, *, previous: bool = False) -> list[str]:
        """The last lines of a pod's log; with `previous`, of its container before the last restart."""
        query = {"tailLines": lines, **({"previous": "true"} if previous else {})}
        return list(self.wire.lines(_log_path(namespace, pod), query, f"read the log of {pod}", ANSWER_S))

    def follow(self, namespace: str, pod: str, lines: int) -> Iterator[str]:
        """The same and then further lines as they come, until the container ends."""
        query = {"tailLines": lines, "follow": "true"}
        return self.wire.lines(_log_path(namespace, pod), query, f"read the log of {pod}")

    def through(self, namespace: str, pod: str, port: int) -> Door:
        """HTTP to one pod by way of the API server: no route from here to the pod is needed."""
        return Door(self.wire, f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}:{port}/proxy")


@dataclass(frozen=True)
class Door:
    """An HTTP server in the cluster, seen through its API server."""

    _wire: Wire
    _path: str

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """(status, body). OSError when the API server can't be reached; 503 also when it can't reach the pod."""
        try:
            return self._wire.ask(method, f"{self._path}{path}", body=body)
        except TargetFailed as problem:
            raise OSError(problem.what) from problem


def _log_path(namespace: str, pod: str) -> str:
    return f"{Ref('v1', 'Pod', pod, namespace).path}/log"


def _plural(kind: str) -> str:
    """As the API's paths have it; true for every kind that comes with Kubernetes, `Endpoints` excepted."""
    small = kind.lower()
    if small.endswith("y"):
        return f"{small[:-1]}ies"
    return f"{small}es" if small.endswith("s") else f"{small}s"
