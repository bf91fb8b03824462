"""Floor 3, rollout: where the API runs: a namespace, the way to its cluster, and what is said of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from retailops.errors import NotReady, TargetFailed
from retailops.tools.kube import Cluster, Ref

NAME = "api"  # of the Deployment and what belongs to it
INSTANCE = "app.kubernetes.io/instance"
PART_OF = "app.kubernetes.io/part-of"
MANAGED_BY = "app.kubernetes.io/managed-by"
VERSION = "app.kubernetes.io/version"
APP = "app.kubernetes.io/name"
BUNDLE = "retailops/bundle"


class NoCluster(NotReady):
    """The cluster itself isn't there, so nothing is deployed on it."""


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

    def claim(self, cluster: Cluster) -> bool:
        """Whether the namespace is there. TargetFailed when it is somebody else's, and so isn't ours to change."""
        found = cluster.read(self.space)
        if found is not None and not self.owns(found):
            labels = f"{MANAGED_BY}=retailops {PART_OF}={self.prefix}"
            raise TargetFailed(
                f"The namespace {self.namespace} is there already, and isn't this project's.",
                "Choose another project.name or project.environment. Or hand it over, and teardown removes it with all "
                f"that is in it: kubectl label namespace {self.namespace} {labels}",
            )
        return found is not None

    def owns(self, found: Mapping[str, Any]) -> bool:
        """Whether an object was made by this project."""
        labels = found["metadata"].get("labels") or {}
        return labels.get(MANAGED_BY) == "retailops" and labels.get(PART_OF) == self.prefix
