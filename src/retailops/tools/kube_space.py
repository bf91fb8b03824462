"""Floor 3: one namespace of a cluster, by the few words that jobs need: objects, pods, what they log and what they say.

with kube_space.of_context("kind-demo", "shop-dev") as space:
    space.create(manifest)
    space.log("shop-etl-1234-abcde", "etl")
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from retailops.errors import ConfigError, NotReady
from retailops.tools.kube import Unreachable

_TIMEOUT_S = (5, 60)  # to connect, to answer
_ROOTS = {
    "Namespace": "/api/v1/namespaces",
    "Secret": "/api/v1/namespaces/{space}/secrets",
    "ServiceAccount": "/api/v1/namespaces/{space}/serviceaccounts",
    "Pod": "/api/v1/namespaces/{space}/pods",
    "Event": "/api/v1/namespaces/{space}/events",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{space}/networkpolicies",
    "Job": "/apis/batch/v1/namespaces/{space}/jobs",
}
_JSON, _APPLY, _MERGE = "application/json", "application/apply-patch+yaml", "application/merge-patch+json"


class Space:
    """Every question may raise Unreachable: the API doesn't answer, or not to us."""

    def __init__(self, api: Any, name: str) -> None:
        self._api = api
        self.name = name

    def create(self, manifest: Mapping[str, Any]) -> bool:
        """Make it; False when one of that name stands already, which is left as it is."""
        status, answer = self.ask("POST", self._root(manifest["kind"]), json.dumps(manifest).encode())
        if status == 409:
            return False
        _fine(status, answer)
        return True

    def apply(self, manifest: Mapping[str, Any], manager: str) -> None:
        """Have it be as the manifest says, whoever said otherwise before."""
        path = f"{self._root(manifest['kind'])}/{manifest['metadata']['name']}"
        query = {"fieldManager": manager, "force": "true"}
        _fine(*self.ask("PATCH", path, json.dumps(manifest).encode(), _APPLY, query))

    def merge(self, kind: str, name: str, change: Mapping[str, Any]) -> None:
        """Change some of an object. Nothing there is success."""
        status, answer = self.ask("PATCH", f"{self._root(kind)}/{name}", json.dumps(change).encode(), _MERGE)
        if status != 404:
            _fine(status, answer)

    def read(self, kind: str, name: str) -> dict[str, Any] | None:
        status, answer = self.ask("GET", f"{self._root(kind)}/{name}")
        return None if status == 404 else _object(_fine(status, answer))

    def delete(self, kind: str, name: str, uid: str = "") -> None:
        """Ask for its deletion, and of what it owns. Nothing there, or another of that name by now, is success."""
        options = {"propagationPolicy": "Background", **({"preconditions": {"uid": uid}} if uid else {})}
        status, answer = self.ask("DELETE", f"{self._root(kind)}/{name}", json.dumps(options).encode())
        if status not in (404, 409):
            _fine(status, answer)

    def listed(self, kind: str, labels: Mapping[str, str] | None = None, fields: str = "") -> list[dict[str, Any]]:
        """Those that carry all labels, oldest first."""
        query = {"labelSelector": ",".join(f"{key}={value}" for key, value in (labels or {}).items())}
        status, answer = self.ask("GET", self._root(kind), query={**query, "fieldSelector": fields})
        found: list[dict[str, Any]] = [] if status == 404 else _object(_fine(status, answer)).get("items") or []
        return sorted(found, key=lambda each: str(each["metadata"].get("creationTimestamp")))

    def log(self, pod: str, container: str, since: str = "") -> list[str]:
        """Lines, each behind the moment of its writing, from the second `since` (RFC 3339) on.

        Nothing while there is nothing to read: the container hasn't begun, or its node doesn't show its log.
        """
        query = {"container": container, "timestamps": "true", **({"sinceTime": since} if since else {})}
        status, answer = self.ask("GET", f"{self._root('Pod')}/{pod}/log", query=query)
        return answer.decode(errors="replace").splitlines() if status == 200 else []

    def say(
        self, pod: str, port: int, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        """What a pod answers over HTTP, by way of the API server; 502 or 503 while nobody listens there."""
        place = f"{self._root('Pod')}/{pod}:{port}/proxy/{quote(path)}"
        return self.ask(method, place, body, "application/octet-stream", headers=headers)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        content: str = _JSON,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """Status and body, whatever they are."""
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError

        configuration = self._api.configuration
        asked = urlencode({key: value for key, value in (query or {}).items() if value})
        sent = {"Accept": "*/*", "Content-Type": content, **(headers or {})}
        # Asked for each time: a token that has become old is renewed by this.
        for each in configuration.auth_settings().values():
            sent[each["key"]] = each["value"]
        try:
            answer = self._api.rest_client.pool_manager.request(
                method,
                f"{configuration.host}{path}?{asked}",
                body=body,
                headers=sent,
                retries=False,
                timeout=Timeout(*_TIMEOUT_S),
            )
        except (HTTPError, OSError) as problem:
            raise Unreachable(
                f"The cluster's API can't be reached from here ({type(problem).__name__}).",
                "Run this from a network that may reach it.",
            ) from problem
        return int(answer.status), bytes(answer.data)

    def _root(self, kind: str) -> str:
        return _ROOTS[kind].format(space=self.name)


@contextmanager
def of_context(context: str, namespace: str) -> Iterator[Space]:
    """A namespace of the cluster that this context of the user's kubeconfig names. No call is made yet."""
    try:
        from kubernetes import config
    except ImportError as problem:
        raise NotReady(
            "The library that speaks to Kubernetes isn't installed.", "Install it: pip install 'retailops[kubernetes]'"
        ) from problem
    try:
        api = config.new_client_from_config(context=context)  # type: ignore[no-untyped-call]
    except (config.ConfigException, OSError) as problem:
        raise ConfigError(
            f"deploy.kubernetes.context: {context!r} can't be used: {problem}",
            "Take a name that this lists: kubectl config get-contexts",
        ) from problem
    with api:
        yield Space(api, namespace)


@contextmanager
def of_endpoint(endpoint: str, certificate: str, token: str, namespace: str) -> Iterator[Space]:
    """A namespace of the cluster behind `endpoint`; `certificate` is its CA in base64, as clouds hand it out."""
    import base64

    from kubernetes import client

    with tempfile.TemporaryDirectory() as folder:
        configuration = client.Configuration()
        configuration.host = endpoint
        configuration.api_key = {"authorization": f"Bearer {token}"}
        if certificate:
            authority = Path(folder) / "ca.crt"
            authority.write_bytes(base64.b64decode(certificate))
            configuration.ssl_ca_cert = str(authority)
        with client.ApiClient(configuration) as api:
            yield Space(api, namespace)


def _fine(status: int, answer: bytes) -> bytes:
    """The answer. Unreachable when it is a refusal, with the API server's own words."""
    if status < 300:
        return answer
    try:
        says = str(json.loads(answer).get("message", ""))
    except (ValueError, AttributeError):
        says = answer.decode(errors="replace")[:200]
    raise Unreachable(
        f"The cluster's API refuses ({status}): {says}",
        "Give these credentials access to the cluster and the right to work in its namespace, then run this again."
        if status in (401, 403)
        else "Correct what it names, then run this again.",
        details={"status": status},
    )


def _object(answer: bytes) -> dict[str, Any]:
    found = json.loads(answer)
    return found if isinstance(found, dict) else {}
