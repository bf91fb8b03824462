"""Floor 3, rollout: where the API runs: a namespace, the way to its cluster, and what is said of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from retailops.tools.kube import Cluster, Ref

NAME = "api"  # of the Deployment and what belongs to it
INSTANCE = "app.kubernetes.io/instance"
PART_OF = "app.kubernetes.io/part-of"
MANAGED_BY = "app.kubernetes.io/managed-by"
VERSION = "app.kubernetes.io/version"
APP = "app.kubernetes.io/name"
BUNDLE = "retailops/bundle"


@dataclass(frozen=True)
class Site:
    """`prefix` is the project's, <project>-<environment>: the label by which it knows what is its own."""

    connect: Callable[[], AbstractContextManager[Cluster]]
    namespace: str
    prefix: str
    kubectl: str  # how a person looks there: kubectl --context … --namespace …

    @property
    def space(self) -> Ref:
        return Ref("v1", "Namespace", self.namespace)

    @property
    def deployment(self) -> Ref:
        return Ref("apps/v1", "Deployment", NAME, self.namespace)

    @property
    def selector(self) -> dict[str, str]:
        """The labels of its pods."""
        return {APP: NAME, INSTANCE: self.prefix}

    def owns(self, found: Mapping[str, Any]) -> bool:
        """Whether an object was made by this project."""
        labels = found["metadata"].get("labels") or {}
        return labels.get(MANAGED_BY) == "retailops" and labels.get(PART_OF) == self.prefix
