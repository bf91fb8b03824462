"""Floor 3, rollout: the logs of all pods as one stream."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

from retailops.errors import RetailOpsError
from retailops.rollout.pods import name_of
from retailops.rollout.site import Site
from retailops.tools.kube import Cluster

_END = None


def pod_logs(cluster: Cluster, site: Site, lines: int, *, follow: bool) -> Iterator[str]:
    """`pod: line`, pod after pod; with `follow` as they come, for as long as any of these pods is there."""
    pods = sorted(name_of(each) for each in cluster.items("v1", "Pod", site.namespace, site.selector))
    if follow:
        yield from _followed(cluster, site, pods, lines)
        return
    for pod in pods:
        try:
            found = cluster.log(site.namespace, pod, lines)
        except RetailOpsError as problem:
            found = [f"(its log can't be read: {problem.what})"]
        yield from (f"{pod}: {line}" for line in found)


def _followed(cluster: Cluster, site: Site, pods: list[str], lines: int) -> Iterator[str]:
    told: queue.Queue[str | None] = queue.Queue(maxsize=1000)

    def tell(pod: str) -> None:
        try:
            for line in cluster.follow(site.namespace, pod, lines):
                told.put(f"{pod}: {line}")
        except RetailOpsError as problem:
            told.put(f"{pod}: (its log can't be read: {problem.what})")
        told.put(_END)

    for pod in pods:
        threading.Thread(target=tell, args=(pod,), name=f"log-{pod}", daemon=True).start()
    ended = 0
    while ended < len(pods):
        line = told.get()
        if line is _END:
            ended += 1
        else:
            yield line
