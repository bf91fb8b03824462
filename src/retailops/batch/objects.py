"""What a Job says to Kubernetes: limits from the config, disk by the input, and who may speak with its pod."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from retailops.batch.agreed import DATA, PORT, SCRATCH, TOKEN, VERDICTS
from retailops.config import Config
from retailops.manifests import CHECKS, Check, proved, render
from retailops.ports import Manifest

RETRIES = 3
_KEPT_S = 86_400  # an ended Job, for a look
_BESIDE_MB = 512  # Python, its libraries and their buffers: what memory_mb doesn't bound
_MB = 1 << 20
_LEAST_DISK_MB = 2048


@dataclass(frozen=True)
class Order:
    """One ETL on a cluster. `role` is what its service account takes on EKS; without one, the rows are carried."""

    name: str
    namespace: str
    key: str
    image: str  # by digest
    command: Sequence[str]
    arguments: Sequence[str]
    input_bytes: int
    role: str = ""
    called: Sequence[Mapping[str, Any]] = field(default_factory=list)  # egress rules
    environment: Mapping[str, str] = field(default_factory=dict)


def manifests(config: Config, order: Order, folder: str, token: str = "", checks: Sequence[Check] = CHECKS) -> tuple[
    Manifest, ...
]:  # fmt: skip
    """Namespace, who it is, whom it may call, the token where there is one, the Job; all have passed the lint."""
    files = ("namespace.yaml", *(("etl-token.yaml",) if token else ()), "etl-job.yaml")
    return proved(render(folder, files, _values(config, order, token)), checks)


def _values(config: Config, order: Order, token: str) -> dict[str, Any]:
    prefix = f"{config.project.name}-{config.project.environment}"
    selector = {"app.kubernetes.io/name": "etl", "app.kubernetes.io/instance": prefix}
    labels = selector | {"app.kubernetes.io/part-of": prefix, "app.kubernetes.io/managed-by": "retailops"}
    # The input, the zones, and what DuckDB and sorting write on the way.
    disk = f"{max(_LEAST_DISK_MB, 4 * order.input_bytes // _MB + 1024)}Mi"
    return {
        "namespace": order.namespace,
        "prefix": prefix,
        "readiness_gate": "enabled" if order.role else None,
        "labels": labels,
        "selector": selector,
        "job": order.name,
        "job_labels": labels | {"retailops/key": order.key},
        "role_arn": order.role or None,
        "callers": [{"ports": [{"port": "carriage", "protocol": "TCP"}]}] if token else [],
        "called": [dict(each) for each in order.called],
        "retries": RETRIES,
        "deadline_s": config.etl.max_minutes * 60,
        "kept_s": _KEPT_S,
        "verdicts": list(VERDICTS),
        "image": order.image,
        "command": list(order.command),
        "arguments": list(order.arguments),
        "environment": [{"name": key, "value": value} for key, value in order.environment.items()] or None,
        "ports": [{"name": "carriage", "containerPort": PORT, "protocol": "TCP"}] if token else None,
        "cpu": f"{config.etl.threads * 500}m",
        "cpu_limit": str(config.etl.threads),
        "memory": f"{config.etl.memory_mb + _BESIDE_MB}Mi",
        "disk": disk,
        "mounts": [{"name": name, "mountPath": path, **more} for name, path, more, _ in _volumes(order, disk, token)],
        "volumes": [{"name": name, **source} for name, _, _, source in _volumes(order, disk, token)],
        "token": token or None,
    }


def _volumes(order: Order, disk: str, token: str) -> list[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """Name, place in the container, how it is mounted, what it is."""
    found: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
        ("data", DATA, {}, {"emptyDir": {"sizeLimit": disk}}),
        ("tmp", SCRATCH, {}, {"emptyDir": {"sizeLimit": "64Mi"}}),
    ]
    if token:
        found.append(("token", TOKEN, {"readOnly": True}, {"secret": {"secretName": order.name}}))
    return found
