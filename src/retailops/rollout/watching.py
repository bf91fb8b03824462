"""Floor 3, rollout: looking on until pods are ready: what they wait for, what went wrong, and when to stop waiting.

A look a second at four short lists of one namespace, rather than a stream for each: nothing runs out, nothing has to be
put together again after a lost connection, and what is told is what was there at one moment.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from retailops.errors import RetailOpsError, TargetFailed
from retailops.progress import Progress
from retailops.rollout.pods import STEPS, Trouble, condition, is_ready, leaving, name_of, step, trouble
from retailops.rollout.site import Site
from retailops.tools.kube import Cluster, Ref

Object = dict[str, Any]
_NOTHING_YET = -1_000_000
_WORDS = 12  # last lines of a log
_USUAL, _USUAL_S = ("probe", "gate", "node"), 10.0


class Stuck(TargetFailed):
    """Pods don't get ready: why, as far as anybody says it."""


@dataclass(frozen=True)
class Patience:
    deadline_s: float  # without anything getting further
    look_s: float = 1.0


class Watching:
    """Looks at one Deployment's pods, or at one pod; what changes is told once."""

    def __init__(self, cluster: Cluster, site: Site, patience: Patience, progress: Progress) -> None:
        self._cluster = cluster
        self._site = site
        self._patience = patience
        self._progress = progress
        self._told: set[tuple[str, str]] = set()

    def pod(self, name: str) -> None:
        """Until this one is ready. Stuck when it won't be."""
        ref = Ref("v1", "Pod", name, self._site.namespace)

        def look() -> tuple[bool, int, list[Object]]:
            found = self._cluster.read(ref)
            if found is None:
                raise Stuck(f"The pod {name} was removed while it started.", "Look who removes pods there.")
            return is_ready(found), _marks([found]), [found]

        self._until(look, f"The pod {name}")

    def deployment(self, least: int) -> list[Object]:
        """Until all pods, `least` at least, are of its newest template, and available. Stuck when that won't be."""
        newest: list[Object] = []

        def look() -> tuple[bool, int, list[Object]]:
            deployment = self._cluster.read(self._site.deployment)
            if deployment is None:
                raise Stuck("The Deployment was removed while it rolled out.", "Look who removes it.")
            if deployment.get("status", {}).get("observedGeneration", 0) < deployment["metadata"]["generation"]:
                return False, _NOTHING_YET, []  # its controller hasn't looked at it yet: the counts are the old ones
            newest[:] = self.pods_of(current_set(self._cluster, self._site, deployment))
            status, wanted = deployment.get("status", {}), max(least, deployment["spec"].get("replicas", 1))
            updated, available, whole = (
                int(status.get(each) or 0) for each in ("updatedReplicas", "availableReplicas", "replicas")
            )
            done = whole == updated == available and updated >= wanted
            ready = sum(map(is_ready, newest))
            self._progress.advance(ready, self._waits_for(newest, whole - updated))
            self._tell_refusals(deployment)
            return done, _marks(newest) + available - (whole - updated), newest

        self._until(look, "The Deployment")
        return [each for each in newest if not leaving(each)]

    def pods_of(self, replica_set: Object | None) -> list[Object]:
        """The pods that a ReplicaSet made."""
        if replica_set is None:
            return []
        labels = replica_set["spec"]["selector"]["matchLabels"]
        return self._cluster.items("v1", "Pod", self._site.namespace, labels)

    def _until(self, look: Callable[[], tuple[bool, int, list[Object]]], who: str) -> None:
        best, moved = _NOTHING_YET, time.monotonic()
        while True:
            done, marks, pods = look()
            troubles = self._troubles(pods, time.monotonic() - moved)
            if done:
                return
            if marks > best:
                best, moved = marks, time.monotonic()
            hopeless = next((each for each in troubles if each.hopeless), None)
            if hopeless:
                raise self._stuck(hopeless, "")
            stands = time.monotonic() - moved
            if stands > self._patience.deadline_s:
                after = f" for {self._patience.deadline_s:g} s (deploy.kubernetes.deadline_s)"
                raise self._stuck(troubles[0] if troubles else None, f"{who} got no further{after}. ")
            time.sleep(self._patience.look_s)

    def _troubles(self, pods: Iterable[Object], stands: float) -> list[Trouble]:
        """Why the pods aren't ready, those that waiting doesn't help first.

        What every start goes through is told only when it has stood still for some seconds.
        """
        found = []
        for pod in pods:
            name, now = name_of(pod), step(pod)
            events = self._cluster.events(self._site.namespace, name) if now == "running" else []
            problem = trouble(pod, events)
            if problem:
                found.append(problem)
            told = problem if problem and (problem.kind not in _USUAL or stands > _USUAL_S) else None
            self._tell(name, told.kind if told else now, _said(pod, told))
        return sorted(found, key=lambda each: not each.hopeless)

    def _tell(self, name: str, kind: str, text: str) -> None:
        if (name, kind) not in self._told:
            self._told.add((name, kind))
            self._progress.note(text)

    def _tell_refusals(self, deployment: Object) -> None:
        """Pods that were never made: a quota, or a policy, is in the way."""
        refused = condition(deployment, "ReplicaFailure")
        if refused.get("status") == "True":
            self._tell(self._site.deployment.name, "refused", f"no further pod is made: {refused.get('message')}")

    def _waits_for(self, pods: Sequence[Object], old: int) -> str:
        unready = next((each for each in pods if not is_ready(each) and not leaving(each)), None)
        if unready:
            problem = trouble(unready)
            return f"{name_of(unready)} {problem.kind if problem else step(unready)}"
        return f"{old} of the old version still there" if old > 0 else ""

    def _stuck(self, problem: Trouble | None, before: str) -> Stuck:
        if problem is None:
            deployment = self._cluster.read(self._site.deployment) or {}
            refused = condition(deployment, "ReplicaFailure")
            why = f"No further pod is made: {refused['message']}" if refused.get("message") else "Nobody says why."
            return Stuck(f"{before}{why}", "")
        words = self.last_words(problem)
        details = {"pod": problem.pod, "why": problem.kind, "last_words": words}
        return Stuck(f"{before}The pod {problem}.{_lines(words)}", "", details=details)

    def last_words(self, problem: Trouble) -> list[str]:
        """The end of the log that says more; a line that tells so where it can't be read."""
        if not problem.logs:
            return []
        try:
            return self._cluster.log(self._site.namespace, problem.pod, _WORDS, previous=problem.logs == "before")
        except RetailOpsError as error:
            return [f"(its log can't be read: {error.what})"]


def current_set(cluster: Cluster, site: Site, deployment: Mapping[str, Any]) -> Object | None:
    """The ReplicaSet of a Deployment's newest template; None before its controller has made one."""
    revision = _revision(deployment)
    return next((each for each in sets(cluster, site, deployment) if _revision(each) == revision), None)


def sets(cluster: Cluster, site: Site, deployment: Mapping[str, Any]) -> list[Object]:
    """All ReplicaSets that a Deployment made and keeps."""
    owner = deployment["metadata"]["uid"]
    found = cluster.items("apps/v1", "ReplicaSet", site.namespace, deployment["spec"]["selector"]["matchLabels"])
    return [each for each in found if owner in [one["uid"] for one in each["metadata"].get("ownerReferences", [])]]


def _revision(found: Mapping[str, Any]) -> str:
    return str((found["metadata"].get("annotations") or {}).get("deployment.kubernetes.io/revision", ""))


def _marks(pods: Iterable[Object]) -> int:
    """How far all pods are together: a crash that repeats itself doesn't count as getting further."""
    return sum(STEPS.index(now) for pod in pods if (now := step(pod)) in STEPS)


def _said(pod: Object, problem: Trouble | None) -> str:
    where = pod.get("spec", {}).get("nodeName")
    return str(problem) if problem else f"{name_of(pod)} {step(pod)}{f' on {where}' if where else ''}"


def _lines(words: Sequence[str]) -> str:
    return "".join(f"\n  {line}" for line in ("Its last words:", *words)) if words else ""
