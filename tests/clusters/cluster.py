"""A Kubernetes cluster as a test sees it: plain JSON, namespaces that go again, and addresses of Services."""

from __future__ import annotations

import functools
import json
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

import pytest

from clusters import aging

_TIMEOUT_S = (5, 60)  # to connect, to answer
_OURS = "app.kubernetes.io/managed-by"
_APPLY = "application/apply-patch+yaml"  # JSON is YAML


T = TypeVar("T")


def until(found: Callable[[], T], seconds: float = 60.0, what: str = "") -> T:
    """What `found` returns as soon as it is true. AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain{what and ' for ' + what}"
        time.sleep(0.1)
    return value


def quantity(text: str) -> float:
    """Kubernetes' amounts of CPU and memory as a number: "250m" → 0.25, "64Mi" → 67108864."""
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", text).groups()  # type: ignore[union-attr]
    return float(number) * _UNITS[unit]


_UNITS = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


@dataclass(frozen=True)
class Answer:
    """Of the API server."""

    status: int
    body: dict[str, Any]

    @property
    def fine(self) -> bool:
        return self.status < 300

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))


class Cluster:
    """The current context of a kubeconfig; a test that can't have it is skipped.

    `api` is the kubernetes client's ApiClient, for what isn't here.
    """

    def __init__(self, kubeconfig: str, services: str) -> None:
        from kubernetes import config
        from kubernetes.config import ConfigException

        self.kubeconfig = kubeconfig
        self._services = services
        try:
            self.context: str = config.list_kube_config_contexts(kubeconfig)[1]["name"]
            self.api: Any = config.new_client_from_config(kubeconfig, self.context)
        except ConfigException as problem:
            pytest.skip(f"KUBECONFIG={kubeconfig} can't be used: {problem}")
        version = self.ask("GET", "/version")
        if not version.fine:
            pytest.skip(f"the cluster of KUBECONFIG={kubeconfig} doesn't answer: {version.message}")
        self.version = (int(version.body["major"]), int(version.body["minor"].rstrip("+")))

    def ask(self, method: str, path: str, body: Any = None, content: str = "application/json", **query: str) -> Answer:
        """The answer whatever it is; status 599 when nobody answers."""
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError

        host, headers = self.api.configuration.host, {"Accept": "application/json", "Content-Type": content}
        for each in self.api.configuration.auth_settings().values():  # asked each time: a token may have been renewed
            headers[each["key"]] = each["value"]
        try:
            answer = self.api.rest_client.pool_manager.request(
                method,
                f"{host}{path}?{urlencode(query)}",
                body=json.dumps(body) if body is not None else None,
                headers=headers,
                retries=False,
                timeout=Timeout(*_TIMEOUT_S),
            )
        except (HTTPError, OSError) as problem:
            return Answer(599, {"message": str(problem)})
        try:
            return Answer(answer.status, json.loads(answer.data))
        except ValueError:
            return Answer(answer.status, {"message": answer.data.decode(errors="replace")})

    def read(self, path: str, **query: str) -> dict[str, Any]:
        """What stands at a path like /api/v1/namespaces; empty when nothing does."""
        answer = self.ask("GET", path, **query)
        assert answer.fine or answer.status == 404, answer
        return answer.body if answer.fine else {}

    # --- what kinds it has ---

    @functools.cached_property
    def served(self) -> frozenset[str]:
        """group/version of all that it serves."""
        groups = self.read("/apis")["groups"]
        return frozenset({"v1", *(each["groupVersion"] for group in groups for each in group["versions"])})

    def aged(self, objects: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Copies that this server can take."""
        return aging.aged(objects, self.served)

    def path_of(self, found: Mapping[str, Any]) -> str:
        """Where the object stands. LookupError when the server knows no such kind."""
        version, kind = found["apiVersion"], found["kind"]
        plural, spaced = self._kinds(version)[kind]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        space = f"/namespaces/{found['metadata'].get('namespace', 'default')}" if spaced else ""
        return f"{root}{space}/{plural}/{found['metadata']['name']}"

    @functools.cache  # noqa: B019 (one cluster a session)
    def _kinds(self, version: str) -> dict[str, tuple[str, bool]]:
        """Kind → (name in paths, whether it lives in a namespace)."""
        answer = self.ask("GET", f"/apis/{version}" if "/" in version else f"/api/{version}")
        if answer.status == 404:
            raise LookupError(f"{version} isn't served")
        assert answer.fine, answer
        whole = [each for each in answer.body["resources"] if "/" not in each["name"]]
        return {each["kind"]: (each["name"], each["namespaced"]) for each in whole}

    # --- objects ---

    def apply(self, *objects: Mapping[str, Any], manager: str = "tests") -> None:
        """Server-side, as aged; every one has to be taken."""
        for each in self.aged(objects):
            answer = self.applied(each, manager)
            assert answer.fine, f"{each['kind']} {each['metadata']['name']}: {answer.message}"

    def applied(self, found: Mapping[str, Any], manager: str = "tests", **query: str) -> Answer:
        """What the server says to it, as it is and not aged."""
        try:
            path = self.path_of(found)
        except LookupError as unknown:
            return Answer(404, {"message": str(unknown)})
        return self.ask("PATCH", path, found, _APPLY, fieldManager=manager, force="true", **query)

    def pods(self, namespace: str, labels: str = "", *, leaving: bool = False) -> list[dict[str, Any]]:
        """Those that stay, or those that are about to leave."""
        query = {"labelSelector": labels} if labels else {}
        found = self.read(f"/api/v1/namespaces/{namespace}/pods", **query).get("items", [])
        return [each for each in found if ("deletionTimestamp" in each["metadata"]) == leaving]

    def ready(self, namespace: str, deployment: str) -> bool:
        """Whether its newest version runs in full, and nothing of an older one."""
        found = self.read(f"/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}")
        status, wanted = found.get("status", {}), found.get("spec", {}).get("replicas", 1)
        seen = status.get("observedGeneration") == found.get("metadata", {}).get("generation", 0)
        counts = [status.get(each, 0) for each in ("replicas", "updatedReplicas", "availableReplicas")]
        return seen and counts == [wanted] * 3

    # --- namespaces and addresses ---

    @contextmanager
    def namespace(self, name: str, *, make: bool = False) -> Iterator[str]:
        """A name that is free; what was made under it, by whomever, is gone afterwards."""
        found = self.read(f"/api/v1/namespaces/{name}")
        labels = found.get("metadata", {}).get("labels", {})
        assert not found or labels.get(_OURS) in ("retailops", "tests"), f"namespace {name} is somebody else's"
        self._clear(name)  # of a run before that was cut off
        if make:
            mark = {"name": name, "labels": {_OURS: "tests"}}
            self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": mark})
        try:
            yield name
        finally:
            self._clear(name)

    def _clear(self, name: str) -> None:
        path = f"/api/v1/namespaces/{name}"

        def gone() -> bool:
            if not self.read(path):
                return True
            self.ask("DELETE", path)
            # At once: nobody is served any more.
            self.ask("DELETE", f"{path}/pods", gracePeriodSeconds="0")
            return False

        until(gone, 180, f"the end of namespace {name}")

    def address(self, namespace: str, service: str, port: int, seconds: float = 60.0) -> str:
        """HOST:PORT at which this machine reaches the Service, as soon as it is told."""
        key = f"{namespace}/{service}:{port}"
        return until(lambda: self._addresses().get(key, ""), seconds, f"the address of {key}")

    def _addresses(self) -> dict[str, str]:
        told = subprocess.run(shlex.split(self._services), capture_output=True, text=True, check=True, timeout=60)
        return dict(line.split()[:2] for line in told.stdout.splitlines() if len(line.split()) >= 2)
