"""Floor 3, rollout: what a version has of retail.yaml, read from the ConfigMap that its pods were started with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from retailops.config import Config
from retailops.rollout.revisions import configs_of
from retailops.rollout.site import Site
from retailops.tools.kube import Cluster, Ref

# templates/aws/k8s/configmap.yaml
_KEYS = {
    "MAX_LINES": "deploy.max_lines",
    "MAX_BASKETS": "deploy.max_baskets",
    "MAX_BODY_KB": "deploy.max_body_kb",
    "BODY_TIMEOUT_S": "deploy.body_timeout_s",
    "RETENTION_DAYS": "monitor.retention_days",
}


def of(cluster: Cluster, site: Site, template: Mapping[str, Any]) -> dict[str, float | int]:
    """Dotted key → value; empty when its ConfigMap isn't there any more."""
    data: dict[str, str] = {}
    for name in configs_of(template):
        data |= (cluster.read(Ref("v1", "ConfigMap", name, site.namespace)) or {}).get("data") or {}
    return {_KEYS[key]: _number(value) for key, value in data.items() if key in _KEYS}


def missing(cluster: Cluster, site: Site, template: Mapping[str, Any]) -> list[str]:
    """Names of ConfigMaps that the template's pods need and that are gone."""
    names = configs_of(template)
    return [name for name in names if cluster.read(Ref("v1", "ConfigMap", name, site.namespace)) is None]


def max_lines(cluster: Cluster, site: Site, template: Mapping[str, Any], config: Config) -> int:
    return int(of(cluster, site, template).get("deploy.max_lines", config.deploy.max_lines))


def _number(text: str) -> float | int:
    return int(text) if text.isdigit() else float(text)
