"""A stand-in for what a stand-in node lacks: a kubelet that shows logs, and word of its disk.

Nodes whose Ready condition has the reason StandIn run pods as containers of an engine on this machine, and serve no
kubelet. Their pods' logs are then read from that engine, by the very call that the API server makes at a kubelet
(/containerLogs/NAMESPACE/POD/CONTAINER over HTTPS), so that what reads logs is tested for real. Nodes of a real cluster
are left alone.
"""

from __future__ import annotations

import http.client
import json
import shutil
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import pytest

from clusters.cluster import Cluster

POD = "retail-cluster.pod"  # label of a container: NAMESPACE/POD
_DISK = "100Gi"
_MERGE = "application/merge-patch+json"
_LOOK_S = 1.0


class Kubelet:
    """For all stand-in nodes at once. Of several test runs one serves; when it ends, another takes over."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._ended = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._watch = threading.Thread(target=self._keep, daemon=True)

    def __enter__(self) -> Self:
        if self._nodes():
            self._server = _server()
            threading.Thread(target=self._server.serve_forever, daemon=True).start()
            self._point()
            self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._server:
            self._watch.join()
            self._server.shutdown()
            self._server.server_close()

    def _nodes(self) -> list[dict[str, Any]]:
        found = self._cluster.read("/api/v1/nodes").get("items", [])
        return [each for each in found if any(one.get("reason") == "StandIn" for one in each["status"]["conditions"])]

    def _keep(self) -> None:
        while not self._ended.wait(_LOOK_S):
            self._point()

    def _point(self) -> None:
        assert self._server
        for node in self._nodes():
            served = node["status"].get("daemonEndpoints", {}).get("kubeletEndpoint", {}).get("Port", 0)
            room = {each: {"ephemeral-storage": _DISK} for each in ("capacity", "allocatable")}
            said = "ephemeral-storage" in node["status"]["allocatable"]
            if said and served and _alive(served):
                continue
            address = [{"type": "InternalIP", "address": "127.0.0.1"}]
            endpoint = {"kubeletEndpoint": {"Port": self._server.server_port}}
            status = {"addresses": address, "daemonEndpoints": endpoint, **room}
            path = f"/api/v1/nodes/{node['metadata']['name']}/status"
            self._cluster.ask("PATCH", path, {"status": status}, _MERGE)


def _alive(port: int) -> bool:
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=2, context=ssl._create_unverified_context())
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _server() -> ThreadingHTTPServer:
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("there is no openssl command to make the certificate of the nodes' logs with")
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder) / "key", Path(folder) / "crt"
        words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=kubelet"]
        made = [openssl, *words, "-keyout", str(key), "-out", str(certificate)]
        subprocess.run(made, check=True, capture_output=True)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Logs)
    server.daemon_threads = True
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server


class _Logs(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        url = urlsplit(self.path)
        parts = url.path.strip("/").split("/")
        if url.path == "/healthz":
            self._whole(200, b"ok")
        elif parts[0] == "containerLogs" and len(parts) == 4:
            self._show(f"{parts[1]}/{parts[2]}", {key: each[0] for key, each in parse_qs(url.query).items()})
        else:
            self._whole(404, b"")

    def log_message(self, *_: object) -> None:
        return None

    def _show(self, pod: str, asked: dict[str, str]) -> None:
        found = subprocess.run(
            ["docker", "ps", "--all", "--quiet", "--filter", f"label={POD}={pod}"], capture_output=True, text=True
        )
        names = found.stdout.split()
        if not names:
            return self._whole(404, json.dumps({"message": f"no container of {pod}"}).encode())
        command = ["docker", "logs", *_flags(asked), names[0]]
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            assert process.stdout
            try:
                for line in process.stdout:
                    self.wfile.write(line)
            except OSError:  # whoever read it has gone
                process.kill()
        return None

    def _whole(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _flags(asked: dict[str, str]) -> Sequence[str]:
    flags = [
        f"--{word}" for word, key in (("timestamps", "timestamps"), ("follow", "follow")) if asked.get(key) == "true"
    ]
    if "tailLines" in asked:
        flags.append(f"--tail={asked['tailLines']}")
    if since := asked.get("sinceTime") or (f"{asked['sinceSeconds']}s" if "sinceSeconds" in asked else ""):
        flags.append(f"--since={since}")
    return flags
