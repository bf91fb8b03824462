"""Floor 3, rollout: what stands on the cluster at this moment: pods, autoscaler, the way in, and who changed what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from retailops.errors import RetailOpsError
from retailops.ports import Endpoint
from retailops.rollout import settings
from retailops.rollout.pods import is_ready, leaving, name_of, restarts, step, trouble
from retailops.rollout.revisions import Revision, Revisions
from retailops.rollout.site import NAME, VERSION, Site
from retailops.tools.kube import Cluster, Conflict, Ref, Rejected

Object = Mapping[str, Any]
_ZONE = "topology.kubernetes.io/zone"


def endpoint(cluster: Cluster, site: Site) -> Endpoint | None:
    """None when nothing is deployed."""
    deployment = cluster.read(site.deployment)
    if deployment is None:
        return None
    revisions = Revisions.read(cluster, site, deployment)
    live = revisions.live
    pods = cluster.items("v1", "Pod", site.namespace, site.selector)
    told = _pods(pods, _zones(cluster))
    ready = sum(each["ready"] for each in told)
    way, address = _way_in(cluster, site)
    detail = {
        "engine": "kubernetes",
        "namespace": site.namespace,
        "bundle_hash": live.bundle_hash if live else "",
        "image": live.image if live else "",
        "address": address,
        "reach": "" if address else f"{site.kubectl} port-forward service/{NAME} 8080:80",
        "rolling": _rolling(revisions),
        "pods": told,
        "scaling": _scaling(cluster, site),
        **(live.speed if live else {}),
    }
    return Endpoint(
        way,
        live.version if live else 0,
        _state(ready, told),
        live.proven or str(live.found["metadata"].get("creationTimestamp", "")) if live else "",
        detail,
        settings.of(cluster, site, live.template) if live else {},
        tuple(each.served(settings.of(cluster, site, each.template)) for each in revisions.before(live)),
        bool(live and live.returned),
    )


def _state(ready: int, pods: Sequence[Mapping[str, Any]]) -> Literal["ready", "starting", "unreachable"]:
    if ready:
        return "ready"
    return "starting" if pods else "unreachable"


def _rolling(revisions: Revisions) -> dict[str, Any] | None:
    """A change that is under way, or was left half done."""
    current, live = revisions.current, revisions.live
    if current is None or live is None or current.name == live.name:
        return None
    return {"from": live.version, "to": current.version}


def _pods(pods: Iterable[Object], zones: Mapping[str, str]) -> list[dict[str, Any]]:
    rows = []
    for pod in sorted(pods, key=name_of):
        node = pod.get("spec", {}).get("nodeName", "")
        problem = trouble(pod)
        rows.append(
            {
                "pod": name_of(pod),
                "version": _version(pod),
                "ready": is_ready(pod),
                "step": step(pod),
                "restarts": restarts(pod),
                "node": node,
                "zone": zones.get(node, ""),
                "trouble": problem.what if problem and not leaving(pod) else "",
            }
        )
    return rows


def _version(pod: Object) -> int | None:
    told = str((pod["metadata"].get("labels") or {}).get(VERSION, ""))
    return int(told) if told.isdigit() else None


def _zones(cluster: Cluster) -> dict[str, str]:
    """Node → zone; empty where these credentials may not see nodes."""
    try:
        nodes = cluster.items("v1", "Node")
    except RetailOpsError:
        return {}
    return {each["metadata"]["name"]: (each["metadata"].get("labels") or {}).get(_ZONE, "") for each in nodes}


def _scaling(cluster: Cluster, site: Site) -> dict[str, Any] | None:
    """The autoscaler, in the words of its first version, which every cluster speaks."""
    found = cluster.read(Ref("autoscaling/v1", "HorizontalPodAutoscaler", NAME, site.namespace))
    if found is None:
        return None
    spec, status = found.get("spec", {}), found.get("status", {})
    return {
        "min": spec.get("minReplicas"),
        "max": spec.get("maxReplicas"),
        "current": status.get("currentReplicas"),
        "desired": status.get("desiredReplicas"),
        "cpu_percent": status.get("currentCPUUtilizationPercentage"),
        "cpu_target_percent": spec.get("targetCPUUtilizationPercentage"),
    }


def _way_in(cluster: Cluster, site: Site) -> tuple[str, str]:
    """(URL, the address behind it); inside the cluster alone where there is no Ingress."""
    found = cluster.read(Ref("networking.k8s.io/v1", "Ingress", NAME, site.namespace))
    if found is None:
        return f"http://{NAME}.{site.namespace}.svc", ""
    balanced = (found.get("status", {}).get("loadBalancer") or {}).get("ingress") or [{}]
    address = str(balanced[0].get("hostname") or balanced[0].get("ip") or "")
    rules = found.get("spec", {}).get("rules") or [{}]
    host = str(rules[0].get("host") or address)
    if not host:
        return f"http://{NAME}.{site.namespace}.svc", ""
    return f"{'https' if _is_secure(found) else 'http'}://{host}", address


def _is_secure(ingress: Object) -> bool:
    annotations = ingress["metadata"].get("annotations") or {}
    return bool(ingress.get("spec", {}).get("tls")) or any(key.endswith("/certificate-arn") for key in annotations)


def drift(cluster: Cluster, objects: Iterable[Object]) -> list[dict[str, str]]:
    """Where the cluster isn't as these objects say, each with whose doing it is: asked by a dry run, nothing changes.

    A manager's name is somebody else's change; without one retail.yaml, or retailops itself, says otherwise by now.
    """
    found = []
    for each in objects:
        ref = Ref.of(each)
        live = cluster.read(ref)
        if live is None:
            found.append({"object": str(ref), "field": "", "by": "", "what": "isn't there"})
            continue
        try:
            would_be = cluster.apply(each, dry=True)
        except Conflict as problem:
            found += [
                {"object": str(ref), "field": one.field, "by": one.manager, "what": "was changed"}
                for one in problem.fields
            ]
            continue
        except Rejected as problem:
            found.append({"object": str(ref), "field": "", "by": "", "what": problem.what})
            continue
        for part in ("spec", "data"):
            for field in differences(live.get(part), would_be.get(part), f".{part}"):
                what = "isn't as it would be deployed now"
                found.append({"object": str(ref), "field": field, "by": "", "what": what})
    return found


def differences(left: Any, right: Any, path: str) -> list[str]:
    """Paths at which two values differ."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        keys = sorted({*left, *right})
        return [each for key in keys for each in differences(left.get(key), right.get(key), f"{path}.{key}")]
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        pairs = enumerate(zip(left, right, strict=True))
        return [each for at, (one, other) in pairs for each in differences(one, other, f"{path}[{at}]")]
    return [] if left == right else [path]


def live_revision(cluster: Cluster, site: Site) -> Revision | None:
    return Revisions.read(cluster, site, cluster.read(site.deployment)).live
