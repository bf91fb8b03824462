"""What a cluster says when it refuses, and what is made of it; where its objects are; how long a token is used."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from emulator.cluster_api import ClusterApi
from retailops.errors import ConfigError
from retailops.tools import kube
from retailops.tools.kube import Changed, Conflict, Ref, Refused, Rejected, Unreachable, connecting
from retailops.tools.kube.refusals import refusal


def said(message: str, **more: object) -> bytes:
    return json.dumps({"kind": "Status", "message": message, **more}).encode()


FORBIDDEN = 'pods is forbidden: User "ann" cannot %s resource "%s" in API group "" in the namespace "shop-dev"'
QUOTA = 'pods "api-1" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2'
SECURITY = 'pods "api-1" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'
CONFLICT = {
    "details": {
        "causes": [
            {
                "reason": "FieldManagerConflict",
                "message": 'conflict with "kubectl-set" using apps/v1',
                "field": '.spec.template.spec.containers[name="api"].image',
            }
        ]
    }
}


@pytest.mark.parametrize(
    ("status", "body", "kind", "says", "fix"),
    [
        (401, said("Unauthorized"), Refused, "doesn't know these credentials", "Log in again"),
        (403, said(FORBIDDEN % ("get", "pods/proxy")), Refused, "'ann' may not get pods/proxy", "the verb get"),
        (403, said(FORBIDDEN % ("list", "pods")), Refused, "in the namespace shop-dev", "on pods in the namespace"),
        (403, said(QUOTA), Rejected, "exceeded quota: small", "deploy.kubernetes.cpu"),
        (403, said(SECURITY), Rejected, "runAsNonRoot", "whoever set that policy"),
        (403, b"<html>no</html>", Refused, "403 Forbidden", "access"),
        (409, said("Apply failed", **CONFLICT), Conflict, "image is set by kubectl-set", "--field-manager"),
        (409, said('configmaps "x" already exists'), Changed, "already exists", "again"),
        (422, said("spec.replicas: Invalid value: -1"), Rejected, "Invalid value", "Correct"),
        (404, said("the server could not find the requested resource"), Rejected, "could not find", "Correct"),
        (500, said("failed to create typed patch object: .data.A: expected string"), Rejected, "expected", "Correct"),
        (500, said("etcdserver: request timed out"), Unreachable, "500", "again"),
        (503, b"", Unreachable, "503", "again"),
    ],
)  # fmt: skip
def test_each_refusal_has_its_cause_and_the_next_step(
    status: int, body: bytes, kind: type[Exception], says: str, fix: str
) -> None:
    found = refusal(status, body, "apply Deployment shop-dev/api")
    assert type(found) is kind
    assert says in found.what and fix in found.fix, found


def test_a_conflict_names_each_field_with_its_owner() -> None:
    found = refusal(409, said("Apply failed", **CONFLICT), "apply x")
    field = '.spec.template.spec.containers[name="api"].image'
    assert found.details["conflicts"] == [{"field": field, "manager": "kubectl-set"}]


@pytest.mark.parametrize(
    ("found", "path"),
    [
        (Ref("v1", "Namespace", "shop"), "/api/v1/namespaces/shop"),
        (Ref("v1", "Pod", "a b", "shop"), "/api/v1/namespaces/shop/pods/a%20b"),
        (Ref("apps/v1", "ReplicaSet", namespace="shop"), "/apis/apps/v1/namespaces/shop/replicasets"),
        (Ref("networking.k8s.io/v1", "NetworkPolicy", "x", "s"),
         "/apis/networking.k8s.io/v1/namespaces/s/networkpolicies/x"),
        (Ref("networking.k8s.io/v1", "Ingress", "x", "s"), "/apis/networking.k8s.io/v1/namespaces/s/ingresses/x"),
    ],
)  # fmt: skip
def test_an_object_s_path_is_that_of_its_kind(found: Ref, path: str) -> None:
    assert found.path == path


def test_a_token_is_made_anew_before_it_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    now, made = [100.0], iter(["first", "second"])
    monkeypatch.setattr(connecting, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with ClusterApi() as api, kube.connect(api.url, "", lambda: next(made)) as cluster:
        for later in (0.0, 299.0, 2.0):
            now[0] += later
            kube.entrances(cluster)
    assert api.tokens == ["Bearer first"] * 4 + ["Bearer second"] * 2


def test_a_context_that_isn_t_there_is_told_with_where_to_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config"
    file.write_text("apiVersion: v1\nkind: Config\nclusters: []\nusers: []\ncontexts: []\n")
    for name in (str(file), str(tmp_path / "missing")):
        monkeypatch.setenv("KUBECONFIG", name)
        with (
            pytest.raises(ConfigError, match="'here' can't be used") as caught,
            kube.connect_context("here", name),
        ):
            pass
        assert "KUBECONFIG" in caught.value.fix
