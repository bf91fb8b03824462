"""What the manifests of every cloud say of a project and a version; a target adds what is its own."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from retailops.config import Config
from retailops.manifests.rendering import render
from retailops.ports import Manifest, ModelVersion

NAME = "api"
# How a pod leaves: for PRE_STOP_S it is still ready, since balancers learn late; then the server drains for DRAIN_S,
# finishes what it is answering and writes its log, for which serving/ takes LAST_S at most.
PRE_STOP_S = 15
DRAIN_S = 5
LAST_S = 45


FOLDER = "aws/k8s"  # of templates; EKS adds its load balancer and a role, nothing else differs
FILES = (
    "namespace.yaml",
    "serviceaccount.yaml",
    "configmap.yaml",
    "networkpolicy.yaml",
    "service.yaml",
    "deployment.yaml",
    "pdb.yaml",
    "hpa.yaml",
)


def elsewhere(config: Config, model: ModelVersion, image: str) -> tuple[Manifest, ...]:
    """On a cluster of one's own: no role, no cloud's load balancer, and a namespace that only this project has.

    Who may call it is its ingress controller's business, whose place isn't known here.
    """
    here: dict[str, Any] = {"readiness_gate": None, "role_arn": None, "callers": None, "called": []}
    ingress = ("ingress-plain.yaml",) if config.deploy.kubernetes.host else ()
    return render(FOLDER, (*FILES, *ingress), values(config, model, image, namespace(config)) | here)


def namespace(config: Config) -> str:
    """`<project>-<environment>`, since others may live on that cluster."""
    return f"{config.project.name}-{config.project.environment}"


def values(config: Config, model: ModelVersion, image: str, namespace: str) -> dict[str, Any]:
    """Name → value, for `FILES`; `image` is named by its digest."""
    wanted = config.deploy.kubernetes
    prefix = f"{config.project.name}-{config.project.environment}"
    limits = _limits(config)
    selector = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/instance": prefix}
    labels = selector | {"app.kubernetes.io/part-of": prefix, "app.kubernetes.io/managed-by": "retailops"}
    return limits | {
        "namespace": namespace,
        "prefix": prefix,
        "labels": labels,
        "selector": selector,
        "pod_labels": labels | {"app.kubernetes.io/version": str(model.version)},
        "config_name": f"{NAME}-{_short_hash(limits)}",
        "version": model.version,
        "bundle_hash": model.run.bundle_hash,
        "image": image,
        "drain_s": DRAIN_S,
        "deadline_s": wanted.deadline_s,
        "pre_stop_s": str(PRE_STOP_S),
        "grace_s": PRE_STOP_S + DRAIN_S + LAST_S,
        "cpu": f"{round(wanted.cpu * 1000)}m",
        "cpu_limit": f"{round(wanted.cpu * 2000)}m",
        "memory": f"{wanted.memory_mb}Mi",
        "replicas_min": wanted.replicas_min,
        "replicas_max": wanted.replicas_max,
        "host": wanted.host or None,
        "ingress_class": wanted.ingress_class or None,
        "tls": [{"hosts": [wanted.host], "secretName": wanted.tls_secret}] if wanted.tls_secret else None,
    }


def _limits(config: Config) -> dict[str, str]:
    """The server's limits; a ConfigMap holds text alone."""
    deploy = config.deploy
    return {
        "max_lines": str(deploy.max_lines),
        "max_baskets": str(deploy.max_baskets),
        "max_body_kb": str(deploy.max_body_kb),
        "body_timeout_s": f"{deploy.body_timeout_s:g}",
        "retention_days": str(config.monitor.retention_days),
    }


def _short_hash(content: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:10]
