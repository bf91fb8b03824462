"""Floor 3, rollout: a pod's server, asked through the cluster's API, and how its speed is told all the same.

The way through the API server takes longer than the answer, and says nothing of the pod. So the pod's own clock is
asked: its histogram before and after the requests. "Requests a second" is then what one connection would get that
nothing but the server holds up.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from retailops.errors import TargetFailed
from retailops.retail.predictor import Predictor
from retailops.rollout.counters import Counts
from retailops.rollout.proof import Gates, Speed, certify, judge
from retailops.tools.kube import Cluster

PORT = 8080  # the server's, in the manifests
_WARM_UP = 20
_REQUESTS = 200
_PROBE_S = 15.0  # a way so long that it needs longer is judged by what it managed
_SLOW = "Give a pod more cores (deploy.kubernetes.cpu), or change the gate."


class PodClient:
    """HTTP to one pod by way of the API server."""

    def __init__(self, cluster: Cluster, namespace: str, pod: str) -> None:
        self.pod = pod
        self._door = cluster.through(namespace, pod, PORT)

    def get(self, path: str) -> tuple[int, Any]:
        return self._ask("GET", path, None)

    def post(self, path: str, body: bytes) -> tuple[int, Any]:
        return self._ask("POST", path, body)

    def counts(self) -> Counts:
        """What it has counted since it started. OSError when it doesn't say."""
        status, text = self._door.ask("GET", "/metrics")
        if status != 200:
            raise OSError(f"{self.pod} answers {status} to /metrics")
        return Counts.read(text.decode(errors="replace"))

    def _ask(self, method: str, path: str, body: bytes | None) -> tuple[int, Any]:
        status, answer = self._door.ask(method, path, body)
        return status, json.loads(answer)


def prove_pod(client: PodClient, predictor: Predictor, gates: Gates, max_lines: int, stays: str) -> Speed:
    """Readiness, golden rows, speed by the pod's own clock. TargetFailed or GateFailed says what doesn't hold."""
    golden = certify(client, predictor, max_lines, f"The pod {client.pod}", stays)
    try:
        speed = _probe(client, golden)
    except (OSError, ValueError) as error:
        raise TargetFailed(f"The pod {client.pod} doesn't answer as it should: {error}.", stays) from error
    judge(speed, gates, f"{stays} {_SLOW}")
    return speed


def _probe(client: PodClient, golden: Sequence[dict[str, Any]]) -> Speed:
    bodies = [json.dumps(row["basket"]).encode() for row in golden]
    for number in range(_WARM_UP):
        client.post("/predict", bodies[number % len(bodies)])
    before, began, asked = client.counts(), time.monotonic(), 0
    while asked < _REQUESTS and time.monotonic() - began < _PROBE_S:
        client.post("/predict", bodies[asked % len(bodies)])
        asked += 1
    taken = client.counts() - before
    if not taken.timed:
        raise OSError("its /metrics counted none of the requests")
    return Speed(
        p50_ms=taken.quantile_ms(0.5),
        p95_ms=taken.quantile_ms(0.95),
        requests_per_s=round(1 / max(taken.mean_s, 1e-6), 1),
    )
