"""Floor 4, local: whether a cluster of one's own can be used: docker, a registry, the way there, and each right."""

from __future__ import annotations

from collections.abc import Iterator

from retailops.config import Config
from retailops.errors import RetailOpsError
from retailops.ports import Finding
from retailops.targets.local.cluster import site
from retailops.tools.kube import Cluster

# Verb, group, resource: what a rollout, a rollback and a teardown ask of the API server.
_ROLLOUT = (
    ("patch", "", "namespaces"),
    ("delete", "", "namespaces"),
    ("patch", "apps", "deployments"),
    ("list", "apps", "replicasets"),
    ("create", "", "pods"),
    ("create", "", "pods/proxy"),
    ("get", "", "pods/log"),
    ("patch", "", "configmaps"),
    ("patch", "", "services"),
    ("patch", "", "serviceaccounts"),
    ("patch", "networking.k8s.io", "networkpolicies"),
    ("patch", "policy", "poddisruptionbudgets"),
    ("patch", "autoscaling", "horizontalpodautoscalers"),
    ("create", "coordination.k8s.io", "leases"),
)
_ETL = (("create", "batch", "jobs"), ("create", "", "pods/proxy"), ("get", "", "pods/log"))


def findings(config: Config) -> Iterator[Finding]:
    """None where nothing is to run on a cluster."""
    needed = {*(_ROLLOUT if config.deploy.engine == "kubernetes" else ())}
    needed |= {*(_ETL if config.etl.engine == "kubernetes" else ())}
    if needed:
        yield _registry(config)
        yield _cluster(config, sorted(needed, key=lambda each: (each[1], each[2], each[0])))


def _registry(config: Config) -> Finding:
    wanted = config.deploy.kubernetes
    if wanted.registry:
        return Finding("registry", "ok", f"images go to {wanted.registry}")
    if wanted.image and config.etl.engine != "kubernetes":
        return Finding("registry", "ok", f"the image is {wanted.image}")
    fix = "Name a repository that you may push to: deploy.kubernetes.registry, like localhost:5000/retailops."
    return Finding("registry", "failed", "there is none from which a cluster could get images", fix)


def _cluster(config: Config, needed: list[tuple[str, str, str]]) -> Finding:
    context = config.deploy.kubernetes.context
    if not context:
        fix = "Set deploy.kubernetes.context to one of: kubectl config get-contexts"
        return Finding("cluster", "failed", "none is named", fix)
    place = site(config)
    try:
        with place.connect() as cluster:
            place.claim(cluster)
            refused = [each for each in needed if not _may(cluster, place.namespace, *each)]
    except RetailOpsError as problem:
        return Finding("cluster", "failed", problem.what, problem.fix)
    where = f"in the namespace {place.namespace} of {context}"
    if refused:
        what = "\n".join(f"{verb} {resource} is refused" for verb, _, resource in refused)
        return Finding(
            "cluster", "failed", f"{what}\n{where}", "Have these credentials given what is missing, by a role."
        )
    return Finding("cluster", "ok", f"{len(needed)} rights {where}, all given")


def _may(cluster: Cluster, namespace: str, verb: str, group: str, resource: str) -> bool:
    """What the API server itself would say to these credentials."""
    kind, _, part = resource.partition("/")
    asked = {"verb": verb, "group": group, "resource": kind, "subresource": part, "namespace": namespace}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "metadata": {},
        "spec": {"resourceAttributes": asked},
    }
    return bool(cluster.create(review)["status"]["allowed"])
