"""Floor 3, rollout: the way back out of a change that failed, and what stands afterwards, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from retailops.errors import RetailOpsError
from retailops.progress import Progress
from retailops.rollout.revisions import Revision, Revisions, configs_of
from retailops.rollout.site import Site
from retailops.rollout.watching import Watching
from retailops.tools.kube import Cluster, Ref

_CARRIED = ("selector", "strategy", "minReadySeconds", "progressDeadlineSeconds", "revisionHistoryLimit")


def with_template(deployment: Mapping[str, Any], template: Mapping[str, Any]) -> dict[str, Any]:
    """The Deployment as it stands, with another template; without `replicas`, which are the autoscaler's."""
    metadata = deployment["metadata"]
    kept = {key: metadata[key] for key in ("name", "namespace", "labels") if key in metadata}
    spec = {key: deployment["spec"][key] for key in _CARRIED if key in deployment["spec"]}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": kept, "spec": {**spec, "template": template}}


@dataclass(frozen=True)
class Undoing:
    """`before` is what the Deployment remembered when the change began."""

    cluster: Cluster
    site: Site
    watching: Watching
    progress: Progress

    def undo(self, before: Revisions, made: Sequence[Ref], *, replaced: bool) -> str:
        """Put back what served. Raises nothing of ours: what couldn't be done is said."""
        live = before.live
        self.progress.stage("undoing" if replaced or live is None else "cleaning up")
        try:
            if live is None:
                return self._remove(made)
            told = self._put_back(live) if replaced else f"Version {live.version} keeps serving: it wasn't touched."
            self._forget(before, made)
        except RetailOpsError as problem:
            return f"Undoing it failed too: {problem.what} Look at: {self.site.kubectl} get pods"
        return told

    def _put_back(self, live: Revision) -> str:
        """Forced, since an emergency doesn't ask whose a field is."""
        deployment = self.cluster.read(self.site.deployment)
        if deployment is None:
            return "The Deployment is gone, so nothing could be put back."
        self.cluster.apply(with_template(deployment, live.template), force=True)
        try:
            self.watching.deployment(1)
        except RetailOpsError as problem:
            return f"Version {live.version} was put back, and not all of its pods are ready: {problem.what}"
        return f"It was undone: version {live.version} keeps serving, with all its pods."

    def _forget(self, before: Revisions, made: Sequence[Ref]) -> None:
        """What only the failed version had: its ConfigMap, which another attempt makes again."""
        named = {name for each in before.every for name in configs_of(each.template)}
        for ref in made:
            if ref.kind == "ConfigMap" and ref.name not in named:
                self.cluster.delete(ref)

    def _remove(self, made: Sequence[Ref]) -> str:
        """A first deploy: nothing served before, so all that was made for it goes."""
        for ref in reversed(made):
            if ref.kind != "Namespace" or self._is_empty():
                with suppress(RetailOpsError):
                    self.cluster.delete(ref)
        return "Nothing was deployed before, and what was made for this attempt was removed again."

    def _is_empty(self) -> bool:
        """Whether nobody but us works in the namespace."""
        pods = self.cluster.items("v1", "Pod", self.site.namespace)
        strangers = [each for each in pods if not self.site.owns(each)]
        return not strangers and not self.cluster.items("batch/v1", "Job", self.site.namespace)
