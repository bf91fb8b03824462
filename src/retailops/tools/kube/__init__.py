"""Floor 3: a Kubernetes API in the few words that every cluster understands, whoever runs it.

with kube.connect_context("kind-shop") as cluster:
    cluster.apply(deployment)
    for pod in cluster.items("v1", "Pod", "shop", {"app": "api"}):
        cluster.log("shop", pod["metadata"]["name"], lines=20)
"""

from __future__ import annotations

from retailops.tools.kube.cluster import MANAGER, Cluster, Ref
from retailops.tools.kube.conflicts import Owned
from retailops.tools.kube.connecting import connect, connect_context
from retailops.tools.kube.entrances import Entrance, delete_entrance, entrances, has_nodes, manifest, restore
from retailops.tools.kube.refusals import Changed, Conflict, Refused, Rejected, Unreachable
from retailops.tools.kube.space import Space

__all__ = [
    "MANAGER",
    "Changed",
    "Cluster",
    "Conflict",
    "Entrance",
    "Owned",
    "Ref",
    "Refused",
    "Rejected",
    "Space",
    "Unreachable",
    "connect",
    "connect_context",
    "delete_entrance",
    "entrances",
    "has_nodes",
    "manifest",
    "restore",
]
