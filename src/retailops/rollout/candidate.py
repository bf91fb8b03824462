"""Floor 3, rollout: one pod of the new version that nobody is sent to, started and proved before any traffic moves.

It is made from the very template that the Deployment will get, under another name label: no Service, disruption budget
or autoscaler sees it, and the namespace's network policies hold for it by copies. It doesn't wait for balancers when it
goes, since none knows it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from retailops.rollout.site import APP, INSTANCE, NAME, Site
from retailops.tools.kube import Cluster, Ref

CANDIDATE = f"{NAME}-candidate"
_LEAVE_S = 5


@contextmanager
def started(
    cluster: Cluster, site: Site, template: Mapping[str, Any], policies: Iterable[Mapping[str, Any]]
) -> Iterator[str]:
    """The name of its pod, which goes at the end whatever happened. Rejected when the namespace's quota is used up."""
    try:
        for each in policies_for(policies, template, site):
            cluster.apply(each)
        yield cluster.create(pod_of(template, site))["metadata"]["name"]
    finally:
        remove(cluster, site)


def remove(cluster: Cluster, site: Site) -> list[str]:
    """Take away every candidate, one that a killed command left behind too; their names. None there is success."""
    labels = {APP: CANDIDATE, INSTANCE: site.prefix}
    gone = []
    for pod in cluster.items("v1", "Pod", site.namespace, labels):
        if "deletionTimestamp" not in pod["metadata"]:
            gone.append(pod["metadata"]["name"])
            cluster.delete(Ref("v1", "Pod", pod["metadata"]["name"], site.namespace), _LEAVE_S)
    for policy in cluster.items("networking.k8s.io/v1", "NetworkPolicy", site.namespace, labels):
        cluster.delete(Ref("networking.k8s.io/v1", "NetworkPolicy", policy["metadata"]["name"], site.namespace))
    return gone


def pod_of(template: Mapping[str, Any], site: Site) -> dict[str, Any]:
    """A pod like the template's."""
    spec = copy.deepcopy(dict(template["spec"]))
    spec.pop("topologySpreadConstraints", None)  # they count other pods
    spec["terminationGracePeriodSeconds"] = _LEAVE_S
    for container in spec["containers"]:
        container.pop("lifecycle", None)
    metadata = {
        "generateName": f"{CANDIDATE}-",
        "namespace": site.namespace,
        "labels": {**template["metadata"].get("labels", {}), APP: CANDIDATE},
        "annotations": dict(template["metadata"].get("annotations") or {}),
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def policies_for(
    policies: Iterable[Mapping[str, Any]], template: Mapping[str, Any], site: Site
) -> Sequence[dict[str, Any]]:
    """Copies of the network policies that hold for the template's pods, for the candidate."""
    labels = template["metadata"].get("labels", {})
    copies = []
    for each in policies:
        chosen = each["spec"].get("podSelector", {}).get("matchLabels") or {}
        if not chosen or not chosen.items() <= labels.items() or chosen.get(APP) != NAME:
            continue  # it holds for the candidate as it is, or not for the API either
        spec = {**copy.deepcopy(dict(each["spec"])), "podSelector": {"matchLabels": {**chosen, APP: CANDIDATE}}}
        metadata = {
            "name": f"{each['metadata']['name']}-candidate",
            "namespace": site.namespace,
            "labels": {**(each["metadata"].get("labels") or {}), APP: CANDIDATE, INSTANCE: site.prefix},
        }
        copies.append({"apiVersion": each["apiVersion"], "kind": each["kind"], "metadata": metadata, "spec": spec})
    return copies
