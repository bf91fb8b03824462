"""A stand-in for a cluster's API server: the calls that teardown, park and wake make, over real HTTP, and no more."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

from emulator.loopback import Loopback

INGRESSES = "/apis/networking.k8s.io/v1"
CORE = "/api/v1"


class ClusterApi(Loopback):
    """Ingresses, Services and nodes. `controller` learns the name of what was deleted, as a real one would."""

    def __init__(self, controller: Callable[[str], None] = lambda name: None, nodes: int = 1) -> None:
        self.ingresses: dict[str, str] = {}  # name → namespace
        self.services: dict[str, tuple[str, str]] = {}  # name → namespace, type
        self.specs: dict[str, dict[str, Any]] = {}  # name → spec, of what has one
        self.nodes = nodes
        self.refuse = 0  # a status that every call is answered with
        self.tokens: list[str] = []
        self._controller = controller
        super().__init__(self._answering())

    def listed(self, path: str) -> list[dict[str, Any]] | None:
        if path == f"{INGRESSES}/ingresses":
            return [{"metadata": {"name": name, "namespace": place}} for name, place in self.ingresses.items()]
        if path == f"{CORE}/services":
            return [
                {"metadata": {"name": name, "namespace": place}, "spec": {"type": kind}}
                for name, (place, kind) in self.services.items()
            ]
        if path == f"{CORE}/nodes":
            return [{"metadata": {"name": f"node-{number}"}} for number in range(self.nodes)]
        return None

    def read(self, path: str) -> dict[str, Any] | None:
        """One of them, with what a cluster adds to it."""
        *_, place, kind, name = path.split("/")
        if name not in {"ingresses": self.ingresses, "services": self.services}.get(kind, {}):
            return None
        metadata = {"name": name, "namespace": place, "uid": "1-2-3", "resourceVersion": "77", "labels": {"app": name}}
        return {"metadata": metadata, "spec": self.specs.get(name, {}), "status": {"loadBalancer": {}}}

    def create(self, path: str, manifest: dict[str, Any]) -> int:
        *_, place, kind = path.split("/")
        name = manifest["metadata"]["name"]
        assert set(manifest["metadata"]) <= {"name", "namespace", "labels", "annotations"}, "not what a cluster adds"
        if name in (self.ingresses if kind == "ingresses" else self.services):
            return 409
        self.specs[name] = manifest["spec"]
        if kind == "ingresses":
            self.ingresses[name] = place
        else:
            self.services[name] = (place, manifest["spec"]["type"])
        return 201

    def delete(self, path: str) -> bool:
        *_, place, kind, name = path.split("/")
        things: dict[str, Any] = {"ingresses": self.ingresses, "services": self.services}[kind]
        if name not in things:
            return False
        assert place in (things[name], things[name][0])
        del things[name]
        self._controller(name)
        return True

    def _answering(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                found = api.listed(path)
                answer = {"items": found} if found is not None else api.read(path)
                self._tell(answer or {}, 404 if answer is None else 200)

            def do_POST(self) -> None:
                manifest = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._tell({}, api.create(self.path.partition("?")[0], manifest))

            def do_DELETE(self) -> None:
                self._tell({}, 200 if api.delete(self.path.partition("?")[0]) else 404)

            def _tell(self, body: dict[str, Any], status: int) -> None:
                api.tokens.append(self.headers.get("Authorization", ""))
                content = json.dumps(body).encode()
                self.send_response(api.refuse or status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *words: object) -> None:
                return

        return Answering
