"""Checks of how many pods there are, and how they are replaced."""

from __future__ import annotations

from collections.abc import Iterator

from retailops.manifests.lint import Problem
from retailops.manifests.objects import Object, Objects, Pods, dig, namespace_of, place_of


def _target(objects: Objects, scaler: Object) -> Object | None:
    wanted = dig(scaler, "spec", "scaleTargetRef", default={})
    found = objects.find(str(wanted.get("kind")), wanted.get("name"), namespace_of(scaler))
    return found if found and found.get("apiVersion") == wanted.get("apiVersion") else None


def autoscaler_target(objects: Objects) -> Iterator[Problem]:
    for each in objects.of("HorizontalPodAutoscaler"):
        found = _target(objects, each)
        if found is None:
            wanted = dig(each, "spec", "scaleTargetRef", default={})
            what = f"there is no {wanted.get('apiVersion')} {wanted.get('kind')} {wanted.get('name')!r}"
            yield Problem(place_of(each, "spec.scaleTargetRef"), what, "Name the Deployment of this set.")
            continue
        for metric in dig(each, "spec", "metrics", default=[]):
            name = dig(metric, "resource", "name")
            for container in Pods(found).containers:
                if name and dig(container, "resources", "requests", name) is None:
                    what = f"a share of {name} can't be told: container {container.get('name')} requests none"
                    yield Problem(place_of(each, "spec.metrics"), what, f"Give the container a request of {name}.")


def autoscaler_bounds(objects: Objects) -> Iterator[Problem]:
    for each in objects.of("HorizontalPodAutoscaler"):
        least, most = dig(each, "spec", "minReplicas", default=1), dig(each, "spec", "maxReplicas", default=0)
        if isinstance(least, int) and isinstance(most, int) and least > most:
            what = f"minReplicas {least} is above maxReplicas {most}"
            yield Problem(place_of(each, "spec"), what, "Raise maxReplicas.")


def replicas(objects: Objects) -> Iterator[Problem]:
    """Applying a Deployment that says `replicas` would take back what the autoscaler has decided."""
    scaled = [_target(objects, each) for each in objects.of("HorizontalPodAutoscaler")]
    for pods in objects.pods():
        if pods.owner in scaled and "replicas" in dig(pods.owner, "spec", default={}):
            what = "it says replicas, and so does the autoscaler: each rollout would reset the number"
            yield Problem(place_of(pods.owner, "spec.replicas"), what, "Leave it out.")


def disruption_budget(objects: Objects) -> Iterator[Problem]:
    for each in objects.of("PodDisruptionBudget"):
        wanted = dig(each, "spec", "selector", "matchLabels", default={})
        chosen = objects.selected(wanted, namespace_of(each))
        if not chosen:
            what = f"{dict(wanted)} matches no pods here, so nothing is protected"
            yield Problem(place_of(each, "spec.selector"), what, "Take labels of the Deployment's pods.")
        least = min((_at_least(objects, pods) for pods in chosen), default=0)
        kept = dig(each, "spec", "minAvailable")
        never = isinstance(kept, int) and chosen and kept >= least
        if never or kept == "100%" or dig(each, "spec", "maxUnavailable") in (0, "0%"):
            what = "no pod may ever be evicted, so no node can be drained or upgraded"
            yield Problem(place_of(each, "spec"), what, "Allow one: maxUnavailable 1.")


def _at_least(objects: Objects, pods: Pods) -> int:
    for each in objects.of("HorizontalPodAutoscaler"):
        if _target(objects, each) == pods.owner:
            return int(dig(each, "spec", "minReplicas", default=1))
    return int(dig(pods.owner, "spec", "replicas", default=1))


def rolling_update(objects: Objects) -> Iterator[Problem]:
    for each in objects.of("Deployment"):
        strategy = dig(each, "spec", "strategy", default={})
        unavailable = dig(strategy, "rollingUpdate", "maxUnavailable", default="25%")
        if strategy.get("type", "RollingUpdate") != "RollingUpdate" or unavailable not in (0, "0%"):
            what = "an update takes pods away before new ones are ready"
            yield Problem(place_of(each, "spec.strategy"), what, "RollingUpdate with maxSurge 1 and maxUnavailable 0.")
        elif dig(strategy, "rollingUpdate", "maxSurge", default="25%") in (0, "0%"):
            what = "with maxSurge 0 and maxUnavailable 0 no update can begin"
            yield Problem(place_of(each, "spec.strategy"), what, "Set maxSurge to 1.")
