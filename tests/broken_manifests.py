"""Manifests with one fault each, and who is expected to notice: the schema, the API server, our lint.

docs/manifests.md is written from it: `python tests/broken_manifests.py docs/manifests.md`. Tests ask all three.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

GONE = object()  # the key is taken out
By = Literal["schema", "api", "lint"]
HPA, PDB, POLICY = "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy"
ROUTE = "Ingress/spec/rules/0/http/paths/0"
ROLLING = "Deployment/spec/strategy/rollingUpdate"
ROLE = "ServiceAccount/metadata/annotations/eks.amazonaws.com:role-arn"
POD = "Deployment/spec/template/spec"
LABELLED = "Service/metadata/labels/app.kubernetes.io:part-of"
SELECTED = "Deployment/spec/selector/matchLabels"
SPREAD = f"{POD}/topologySpreadConstraints/0/labelSelector"
ONE = f"{POD}/containers/0"
ALB = "Ingress/metadata/annotations/alb.ingress.kubernetes.io:"  # a colon stands for the slash in a key


@dataclass(frozen=True)
class Broken:
    fault: str
    path: str  # kind/key/…; numbers are places in a list
    value: Any
    by: tuple[By, ...]
    check: str = ""  # of the lint

    @property
    def kind(self) -> str:
        return self.path.partition("/")[0]

    def refused_by(self, served: Collection[str]) -> bool:
        """Whether an API server that serves these versions is expected to refuse it; old ones know what is gone now."""
        return "api" in self.by or (self.path.endswith("/apiVersion") and self.value not in served)

    def applied(self, objects: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """A copy of the objects with the fault in it."""
        copied: list[dict[str, Any]] = copy.deepcopy([dict(each) for each in objects])
        *way, last = [part.replace(":", "/") for part in self.path.split("/")[1:]]
        place: Any = next(each for each in copied if each["kind"] == self.kind)
        for part in way:
            place = place[int(part)] if part.isdigit() else place[part]
        key: Any = int(last) if last.isdigit() and isinstance(place, list) else last
        if self.value is GONE:
            del place[key]
        else:
            assert isinstance(place, list) or place.get(key) != self.value
            place[key] = self.value
        return copied


OTHER = {"app.kubernetes.io/name": "apy"}
BROKEN = (
    Broken("a misspelt key", f"{ONE}/resource", {}, ("schema", "api")),
    Broken("a number as text", f"{HPA}/spec/minReplicas", "2", ("schema", "api")),
    Broken("an HPA of a version that is gone", f"{HPA}/apiVersion", "autoscaling/v2beta2", ("schema",)),
    Broken("a budget of a version that is gone", f"{PDB}/apiVersion", "policy/v1beta1", ("schema", "api")),
    Broken("a Deployment without selector", "Deployment/spec/selector", GONE, ("schema", "api")),
    Broken("a container without name", f"{ONE}/name", GONE, ("schema", "api")),
    Broken("a port as text", f"{ONE}/ports/0/containerPort", "8080", ("schema", "api")),
    Broken("a number in a ConfigMap", "ConfigMap/data/MAX_LINES", 500, ("schema", "api")),
    Broken("a path without pathType", f"{ROUTE}/pathType", GONE, ("schema", "api")),
    Broken("a Service without port", "Service/spec/ports/0/port", GONE, ("schema", "api")),
    Broken("a number as argument", f"{ONE}/args/0", 5, ("schema", "api")),
    Broken("labels as a list", "Service/metadata/labels", ["api"], ("schema", "api")),
    Broken("a probe without such a port", f"{ONE}/readinessProbe/httpGet/port", "htpp", ("lint",), "probe port"),
    Broken("no readinessProbe", f"{ONE}/readinessProbe", GONE, ("lint",), "probes"),
    Broken("a Service that selects nothing", "Service/spec/selector", OTHER, ("lint",), "service selector"),
    Broken("a target port of nothing", "Service/spec/ports/0/targetPort", "htpp", ("lint",), "target port"),
    Broken("a target port nobody has", "Service/spec/ports/0/targetPort", 8081, ("lint",), "target port"),
    Broken("an HPA of nothing", f"{HPA}/spec/scaleTargetRef/name", "apy", ("lint",), "autoscaler target"),
    Broken("an HPA without request", f"{ONE}/resources/requests/cpu", GONE, ("lint",), "autoscaler target"),
    Broken("minReplicas over max", f"{HPA}/spec/minReplicas", 9, ("api", "lint"), "autoscaler bounds"),
    Broken("replicas beside the HPA", "Deployment/spec/replicas", 2, ("lint",), "replicas"),
    Broken("a budget of nothing", f"{PDB}/spec/selector/matchLabels", OTHER, ("lint",), "disruption budget"),
    Broken("a budget of none", f"{PDB}/spec/maxUnavailable", 0, ("lint",), "disruption budget"),
    Broken("a policy of nothing", f"{POLICY}/spec/podSelector/matchLabels", OTHER, ("lint",), "network policy"),
    Broken("a policy that lets nobody in", f"{POLICY}/spec/ingress/0/ports/0/port", 80, ("lint",), "network policy"),
    Broken("a backend of nothing", f"{ROUTE}/backend/service/name", "apy", ("lint",), "ingress backend"),
    Broken("a backend port of nothing", f"{ROUTE}/backend/service/port/name", "web", ("lint",), "ingress backend"),
    Broken("a bad ALB value", f"{ALB}healthcheck-interval-seconds", "10s", ("lint",), "ALB annotation"),
    Broken("a misspelt ALB annotation", f"{ALB}heathcheck-path", "/readyz", ("lint",), "ALB annotation"),
    Broken("a bad ALB attribute", f"{ALB}load-balancer-attributes", "idle_timeout=20", ("lint",), "ALB annotation"),
    Broken("an ALB value as number", f"{ALB}success-codes", 200, ("schema", "api", "lint"), "ALB annotation"),
    Broken("HTTPS without certificate", f"{ALB}certificate-arn", GONE, ("lint",), "ALB annotation"),
    Broken("a redirect to nowhere", f"{ALB}ssl-redirect", "8443", ("lint",), "ALB annotation"),
    Broken("a bad IRSA ARN", ROLE, "arn:aws:iam::1234:role/api", ("lint",), "IRSA role"),
    Broken("an image by tag", f"{ONE}/image", "registry.example.org/api:1", ("lint",), "digest"),
    Broken("no limit of memory", f"{ONE}/resources/limits/memory", GONE, ("lint",), "resources"),
    Broken("a request above its limit", f"{ONE}/resources/requests/memory", "4Gi", ("api", "lint"), "resources"),
    Broken("an amount that is none", f"{ONE}/resources/limits/memory", "512 MB", ("api", "lint"), "resources"),
    Broken("a ConfigMap that isn't there", f"{ONE}/envFrom/0/configMapRef/name", "apy", ("lint",), "config reference"),
    Broken("a variable of nothing", f"{ONE}/args/6", "--max-lines=$(MAX_LINE)", ("lint",), "argument variable"),
    Broken("a ServiceAccount that isn't there", f"{POD}/serviceAccountName", "apy", ("lint",), "service account"),
    Broken("a mount of no volume", f"{ONE}/volumeMounts/0/name", "log", ("api", "lint"), "volume"),
    Broken("a selector of other pods", SELECTED, OTHER, ("api", "lint"), "deployment selector"),
    Broken("a spread over other pods", f"{SPREAD}/matchLabels", OTHER, ("lint",), "spread"),
    Broken("an update with a gap", f"{ROLLING}/maxUnavailable", 1, ("lint",), "rolling update"),
    Broken("an update that sticks", f"{ROLLING}/maxSurge", 0, ("api", "lint"), "rolling update"),
    Broken("no preStop", f"{ONE}/lifecycle", GONE, ("lint",), "leaving"),
    Broken("a preStop beyond the grace period", f"{POD}/terminationGracePeriodSeconds", 15, ("lint",), "leaving"),
    Broken("root", f"{POD}/securityContext/runAsNonRoot", False, ("lint",), "restricted"),
    Broken("a writable root", f"{ONE}/securityContext/readOnlyRootFilesystem", False, ("lint",), "restricted"),
    Broken("the node's network", f"{POD}/hostNetwork", True, ("lint",), "restricted"),
    Broken("a label with a space", LABELLED, "a b", ("api", "lint"), "labels"),
    Broken("a name in capitals", f"{POLICY}/metadata/name", "API", ("api", "lint"), "names"),
    Broken("another namespace", "Service/metadata/namespace", "default", ("lint",), "one namespace"),
    Broken("a restartPolicy of Jobs", f"{POD}/restartPolicy", "OnFailure", ("api",)),
    Broken("a protocol that is none", f"{ONE}/ports/0/protocol", "HTTP", ("api",)),
    Broken("a pathType that is none", f"{ROUTE}/pathType", "Exactly", ("api",)),
    Broken("a cidr that is none", f"{POLICY}/spec/ingress/0/from/0/ipBlock/cidr", "10.20.0.0/33", ("api",)),
    Broken("a drop to a negative period", f"{ONE}/livenessProbe/periodSeconds", -1, ("api",)),
)  # fmt: skip

SERVER = (1, 20)  # the Kubernetes that was asked for the column; another one is asked by the same test
INTRODUCTION = """# Who notices a fault in the manifests

What `retailops deploy --render` writes, with one fault in it, is shown to three: the schemas of every Kubernetes
version in EKS standard support (`kubernetes-validate --strict`), a real API server (Kubernetes %s; server-side apply as
a dry run, nothing is made), and the lint that every rendering passes before it is written or applied. Of %d faults the
schemas notice %d, the API server %d, the lint %d, the lint alone %d; nobody overlooks all. A server of another version
was not asked; one that doesn't serve `autoscaling/v2beta2` any more refuses that too.
"""


def page() -> str:
    counts = [sum(each in broken.by for broken in BROKEN) for each in ("schema", "api", "lint")]
    alone = sum(broken.by == ("lint",) for broken in BROKEN)
    version = ".".join(map(str, SERVER))
    return "\n".join([INTRODUCTION % (version, len(BROKEN), *counts, alone), *_table(), ""])


def _table() -> Iterator[str]:
    yield "| fault | schemas | API server | lint |"
    yield "|---|---|---|---|"
    for each in BROKEN:
        cells = ["yes" if name in each.by else "–" for name in ("schema", "api")]
        yield f"| {each.fault} | {' | '.join(cells)} | {each.check or '–'} |"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
