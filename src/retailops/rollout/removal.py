"""Floor 3, rollout: taking the namespace away with all that is in it, and looking whether it is gone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from retailops.errors import ConfigError, TargetFailed
from retailops.ports import Change
from retailops.progress import SILENT, Progress
from retailops.rollout.site import Site
from retailops.tools.kube import Cluster, Unreachable

_PATIENCE_S = 180.0  # pods leave within a minute and a quarter
_LOOK_S = 1.0


class NamespaceRemoval:
    """A namespace that isn't this project's, by its labels, is left alone."""

    def __init__(self, site: Site, patience_s: float = _PATIENCE_S) -> None:
        self._site = site
        self._patience_s = patience_s

    def removals(self) -> list[Change]:
        with self._cluster() as cluster:
            found = self._found(cluster)
            if found is None:
                return []
            pods = cluster.items("v1", "Pod", self._site.namespace)
        return [Change("delete", "namespace", self._site.namespace, f"{len(pods)} pods, and all else in it")]

    def remove(self, progress: Progress = SILENT) -> None:
        """Delete it, and wait until it is gone. Nothing there is success."""
        with self._cluster() as cluster:
            deadline = time.monotonic() + self._patience_s
            while (found := self._found(cluster)) is not None:
                if "deletionTimestamp" not in found["metadata"]:
                    progress.stage(f"removing the namespace {self._site.namespace}")
                    cluster.delete(self._site.space)
                if time.monotonic() > deadline:
                    raise TargetFailed(
                        f"The namespace {self._site.namespace} isn't gone after {self._patience_s:g} s"
                        f"{_held_by(found)}.",
                        "Run retailops teardown again; if it stays, look at what holds it: "
                        f"{self._site.kubectl} get all,ingress",
                    )
                time.sleep(_LOOK_S)

    def left(self) -> list[Change]:
        with self._cluster() as cluster:
            there = self._found(cluster) is not None
        fix = f"{self._site.kubectl} delete namespace {self._site.namespace}"
        return [Change("left", "namespace", self._site.namespace, fix=fix)] if there else []

    @contextmanager
    def _cluster(self) -> Iterator[Cluster]:
        try:
            with self._site.connect() as cluster:
                yield cluster
        except (ConfigError, Unreachable) as problem:
            raise TargetFailed(
                f"{problem.what} So nobody can tell whether the namespace {self._site.namespace} is there.",
                f"{problem.fix} If that cluster is gone for good, clear deploy.kubernetes.context and run this again.",
            ) from problem

    def _found(self, cluster: Cluster) -> dict[str, Any] | None:
        found = cluster.read(self._site.space)
        return found if found and self._site.owns(found) else None


def _held_by(found: dict[str, Any]) -> str:
    told = [each["message"] for each in found.get("status", {}).get("conditions") or [] if each["status"] == "True"]
    return f": {'; '.join(told)}" if told else ""
