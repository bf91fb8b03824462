"""Floor 3, rollout: one change of what serves, step by step; whatever fails, what served before goes on serving.

    conflicts, by a dry run → candidate, proved → Deployment → all pods ready, proved → baked → the rest → marked

Until the Deployment is applied nothing that serves was touched. From then on until the mark, a failure (or Ctrl-C) puts
back the template that served before, and waits until it serves.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from retailops.config import Config
from retailops.errors import BY_CODE, Interrupted, RetailOpsError, TargetFailed
from retailops.progress import Progress
from retailops.retail.predictor import Predictor
from retailops.rollout import candidate
from retailops.rollout.baking import Baking, counted
from retailops.rollout.pod_proof import PodClient, prove_pod
from retailops.rollout.pods import is_ready, name_of
from retailops.rollout.proof import Speed, certify
from retailops.rollout.revisions import PROVEN, RETURNED, SPEED, Revision, Revisions
from retailops.rollout.settings import max_lines
from retailops.rollout.site import NAME, Site
from retailops.rollout.undoing import Undoing
from retailops.rollout.watching import Patience, Watching
from retailops.tools.kube import Cluster, Ref

Object = Mapping[str, Any]
# What pods need to start, and what the Deployment's other pods aren't touched by.
_FIRST = ("ServiceAccount", "ConfigMap")


@dataclass(frozen=True)
class Wanted:
    """What is to serve: a version, and all objects or, on the way back, the Deployment with an earlier template."""

    predictor: Predictor
    reference: Mapping[str, Any]  # the bundle's, of the classes
    objects: Sequence[Object]
    returned: bool = False

    @property
    def version(self) -> int:
        return self.predictor.version

    @property
    def deployment(self) -> Object:
        return next(each for each in self.objects if each["kind"] == "Deployment")

    def of(self, *kinds: str) -> list[Object]:
        return [each for each in self.objects if each["kind"] in kinds]


@dataclass(frozen=True)
class Steps:
    """What a change is made of and how patient it is. Tests leave a step out, to see that the next one holds."""

    candidate: bool = True
    look_s: float = 1.0
    bake_look_s: float = 5.0


@dataclass
class Change:
    """`go` returns what was measured."""

    cluster: Cluster
    site: Site
    config: Config
    steps: Steps
    progress: Progress
    made: list[Ref] = field(default_factory=list)  # what wasn't there before
    replaced: bool = False  # the Deployment was touched

    def go(self, wanted: Wanted) -> dict[str, Any]:
        left = candidate.remove(self.cluster, self.site)
        if left:
            self.progress.note(f"a candidate that an earlier command left behind is removed: {', '.join(left)}")
        deployment = self.cluster.read(self.site.deployment)
        before = Revisions.read(self.cluster, self.site, deployment)
        if deployment is not None and before.current is not None and self._stands(wanted, deployment, before.current):
            return self._kept(wanted, before.current)
        with self._undone_if_it_fails(wanted, before):
            self._look_for_conflicts(wanted, deployment)
            self._apply(wanted.of(*_FIRST))
            speed = self._prove_candidate(wanted) if self.steps.candidate else None
            told = self._replace(wanted, before)
            self._apply([each for each in wanted.objects if each["kind"] not in (*_FIRST, "Deployment")])
            self._mark(wanted, speed)
        self._forget(wanted)
        return {**(asdict(speed) if speed else {}), "bake": told}

    def _stands(self, wanted: Wanted, deployment: Object, current: Revision) -> bool:
        """Whether this very template has proved itself and serves."""
        if not current.proven or not current.ready:
            return False
        if wanted.returned:
            return bool(current.template == wanted.deployment["spec"]["template"])
        would_be = self.cluster.apply(wanted.deployment, dry=True)
        return bool(would_be["spec"]["template"] == deployment["spec"]["template"])

    def _kept(self, wanted: Wanted, current: Revision) -> dict[str, Any]:
        """It is live already: everything else is brought up to date, and it is proved again."""
        self.progress.stage(f"proving version {wanted.version}, which is live already")
        self._look_for_conflicts(wanted, None)
        self._apply(wanted.objects if not wanted.returned else [])
        pods = self._watching().deployment(self._least(wanted))
        self._certify(wanted, pods)
        if current.returned and not wanted.returned:  # it is wanted now, and not only better than what came after it
            self.cluster.annotate(current.ref, {RETURNED: None})
        self._forget(wanted)
        return current.speed

    def _look_for_conflicts(self, wanted: Wanted, deployment: Object | None) -> None:
        """Whether all of it would be taken, asked before anything is started."""
        self.progress.stage("asking the cluster whether it takes all of this")
        for each in wanted.objects:
            self.cluster.apply(each, dry=True, force=wanted.returned)

    def _apply(self, objects: Sequence[Object], *, force: bool = False) -> None:
        for each in objects:
            ref = Ref.of(each)
            if self.cluster.read(ref) is None:
                self.made.append(ref)
            self.cluster.apply(each, force=force)

    def _prove_candidate(self, wanted: Wanted) -> Speed:
        template = wanted.deployment["spec"]["template"]
        policies = wanted.of("NetworkPolicy") or self.cluster.items(
            "networking.k8s.io/v1", "NetworkPolicy", self.site.namespace
        )
        self.progress.stage(f"starting version {wanted.version} where nobody is sent to")
        with candidate.started(self.cluster, self.site, template, policies) as pod:
            self._watching().pod(pod)
            self.progress.stage(f"proving version {wanted.version}")
            return prove_pod(self._client(pod), wanted.predictor, self.config.gates, self._max_lines(wanted), "")

    def _replace(self, wanted: Wanted, before: Revisions) -> dict[str, Any]:
        """The Deployment, every pod of it, and some time under traffic."""
        then = counted(self._live_pods(before), self._client)
        self.progress.stage(f"replacing pods with version {wanted.version}", self._least(wanted), "pods")
        if before.current is None:  # a first deploy has no traffic to lose, and needs its autoscaler to be complete
            self._apply([each for each in wanted.objects if each["kind"] not in (*_FIRST, "Deployment")])
        self.replaced = True
        self._apply([wanted.deployment], force=wanted.returned)
        pods = self._watching().deployment(self._least(wanted))
        self._certify(wanted, pods)
        baking = Baking(
            self._newest, self._client, self.config, wanted.reference, then, self.steps.bake_look_s, self.progress
        )
        return baking.watch(wanted.version)

    def _certify(self, wanted: Wanted, pods: Sequence[Object]) -> None:
        """Golden rows through each pod that the Service sends requests to."""
        self.progress.stage(f"proving every pod of version {wanted.version}", len(pods), "pods")
        for number, pod in enumerate(pods, start=1):
            if is_ready(pod):
                name = name_of(pod)
                certify(self._client(name), wanted.predictor, self._max_lines(wanted), f"The pod {name}", "")
            self.progress.advance(number)

    @contextmanager
    def _undone_if_it_fails(self, wanted: Wanted, before: Revisions) -> Iterator[None]:
        undoing = Undoing(self.cluster, self.site, self._watching(), self.progress)
        try:
            yield
        except KeyboardInterrupt as problem:
            what = undoing.undo(before, self.made, replaced=self.replaced)
            raise Interrupted(f"Interrupted. {what}", "Run the same command again when you like.") from problem
        except RetailOpsError as problem:
            raise _with(problem, undoing.undo(before, self.made, replaced=self.replaced)) from problem
        except BaseException:
            undoing.undo(before, self.made, replaced=self.replaced)
            raise

    def _mark(self, wanted: Wanted, speed: Speed | None) -> None:
        """From here on it is what served last."""
        current = self._revisions().current
        if current is None:
            raise TargetFailed("The Deployment has no ReplicaSet any more.", "Look who removes it, then deploy again.")
        notes: dict[str, str | None] = {
            PROVEN: datetime.now(UTC).isoformat(timespec="milliseconds"),
            RETURNED: "true" if wanted.returned else None,
        }
        if speed:
            notes[SPEED] = json.dumps(asdict(speed))
        self.cluster.annotate(current.ref, notes)

    def _forget(self, wanted: Wanted) -> None:
        """ConfigMaps of templates that the Deployment no longer remembers."""
        labels = wanted.deployment["metadata"].get("labels", {})
        found = self.cluster.items("v1", "ConfigMap", self.site.namespace, labels)
        names = [each["metadata"]["name"] for each in found]
        for name in self._revisions().forgotten(names, wanted.deployment["spec"]["template"]):
            self.cluster.delete(Ref("v1", "ConfigMap", name, self.site.namespace))

    def _least(self, wanted: Wanted) -> int:
        """Pods that there will be at least."""
        scaled = wanted.of("HorizontalPodAutoscaler") or self._scalers()
        return max((int(each["spec"].get("minReplicas", 1)) for each in scaled), default=1)

    def _scalers(self) -> list[dict[str, Any]]:
        found = self.cluster.read(Ref("autoscaling/v1", "HorizontalPodAutoscaler", NAME, self.site.namespace))
        return [found] if found else []

    def _live_pods(self, before: Revisions) -> list[str]:
        found = self._watching().pods_of(dict(before.live.found)) if before.live else []
        return [name_of(each) for each in found if is_ready(each)]

    def _revisions(self) -> Revisions:
        return Revisions.read(self.cluster, self.site, self.cluster.read(self.site.deployment))

    def _client(self, pod: str) -> PodClient:
        return PodClient(self.cluster, self.site.namespace, pod)

    def _watching(self) -> Watching:
        patience = Patience(self.config.deploy.kubernetes.deadline_s, self.steps.look_s)
        return Watching(self.cluster, self.site, patience, self.progress)

    def _newest(self) -> list[dict[str, Any]]:
        current = self._revisions().current
        return self._watching().pods_of(dict(current.found)) if current else []

    def _max_lines(self, wanted: Wanted) -> int:
        """Longer baskets than its own limit allows the version refuses."""
        return max_lines(self.cluster, self.site, wanted.deployment["spec"]["template"], self.config)


def _with(problem: RetailOpsError, what: str) -> RetailOpsError:
    """The same error, with what became of it."""
    fix = " ".join(each for each in (what, problem.fix or "Correct that, then run the same command again.") if each)
    return BY_CODE.get(problem.code, TargetFailed)(problem.what, fix, details={**problem.details, "undone": what})
