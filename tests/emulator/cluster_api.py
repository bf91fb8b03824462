"""A stand-in for a cluster's API server: the five calls that a teardown makes, over real HTTP, and nothing more."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self

INGRESSES = "/apis/networking.k8s.io/v1"
CORE = "/api/v1"


class ClusterApi:
    """Ingresses, Services and nodes. `controller` learns the name of what was deleted, as a real one would."""

    def __init__(self, controller: Callable[[str], None] = lambda name: None, nodes: int = 1) -> None:
        self.ingresses: dict[str, str] = {}  # name → namespace
        self.services: dict[str, tuple[str, str]] = {}  # name → namespace, type
        self.nodes = nodes
        self.refuse = 0  # a status that every call is answered with
        self.tokens: list[str] = []
        self._controller = controller
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._answering())
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

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
                found = api.listed(self.path.partition("?")[0])
                self._tell({"items": found}, 404 if found is None else 200)

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
