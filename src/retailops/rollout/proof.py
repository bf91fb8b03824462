"""Floor 3, rollout: what a server must show before it goes live: the golden rows over HTTP, and how fast it answers."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from retailops.errors import GateFailed, TargetFailed
from retailops.retail.predictor import Prediction, Predictor, disagrees

_TIMEOUT_S = 10.0
_WARM_UP = 30
_REQUESTS = 300
_FIX = "The old version stays. The new server's log says more: <workspace>/serving/logs."
_PROBE_S = 10.0  # a server so slow that it needs longer is judged by what it managed


class Gates(Protocol):
    """The gates of a server in retail.yaml."""

    @property
    def p95_ms(self) -> float: ...
    @property
    def throughput_rps(self) -> float: ...


@dataclass(frozen=True)
class Speed:
    """Of one connection that asks again as soon as it is answered."""

    p50_ms: float
    p95_ms: float
    requests_per_s: float


class Client:
    """One keep-alive connection to a server on this machine."""

    def __init__(self, host: str, port: int, timeout_s: float = _TIMEOUT_S) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=timeout_s)

    def get(self, path: str) -> tuple[int, Any]:
        return self._ask("GET", path, None)

    def post(self, path: str, body: bytes) -> tuple[int, Any]:
        return self._ask("POST", path, body)

    def _ask(self, method: str, path: str, body: bytes | None) -> tuple[int, Any]:
        """(status, decoded JSON). OSError when nobody answers, ValueError when the answer isn't JSON."""
        try:
            self._connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            answer = self._connection.getresponse()
            return answer.status, json.loads(answer.read())
        except http.client.HTTPException as error:
            raise OSError(f"not an HTTP answer ({error!r})") from error

    def close(self) -> None:
        self._connection.close()


def prove(client: Client, predictor: Predictor, gates: Gates, max_lines: int) -> Speed:
    """Readiness, golden rows, speed. TargetFailed or GateFailed says which of them doesn't hold."""
    golden = [row for row in predictor.golden if len(row["basket"]["lines"]) <= max_lines]
    if not golden:
        raise TargetFailed("No golden row of the bundle fits into deploy.max_lines.", "Raise deploy.max_lines.")
    try:
        status, answer = client.get("/readyz")
        if status != 200:
            raise TargetFailed(f"The new server says that it isn't ready: {answer}.", _FIX)
        _replay(client, golden, predictor.feature_names)
        speed = _probe(client, golden)
    except (OSError, ValueError) as error:
        raise TargetFailed(f"The new server doesn't answer as it should: {error}.", _FIX) from error
    _judge(speed, gates)
    return speed


def _replay(client: Client, golden: Sequence[dict[str, Any]], names: Sequence[str]) -> None:
    for row in golden:
        status, answer = client.post("/predict?explain=features", json.dumps(row["basket"]).encode())
        name = row["basket"]["basket_id"]
        if status != 200:
            raise TargetFailed(f"The golden basket {name} is answered with {status}: {answer}.", _FIX)
        wrong = disagrees(row, msgspec.convert(answer, Prediction), answer["features"], names)
        if wrong:
            raise TargetFailed(f"The golden basket {name} comes out differently over HTTP: {wrong}.", _FIX)


def _probe(client: Client, golden: Sequence[dict[str, Any]]) -> Speed:
    bodies = [json.dumps(row["basket"]).encode() for row in golden]
    for number in range(_WARM_UP):
        client.post("/predict", bodies[number % len(bodies)])
    taken: list[float] = []
    began = time.perf_counter()
    while len(taken) < _REQUESTS and time.perf_counter() - began < _PROBE_S:
        asked = time.perf_counter()
        client.post("/predict", bodies[len(taken) % len(bodies)])
        taken.append(time.perf_counter() - asked)
    whole = time.perf_counter() - began
    taken.sort()
    return Speed(
        p50_ms=round(taken[len(taken) // 2] * 1000, 3),
        p95_ms=round(taken[int(len(taken) * 0.95)] * 1000, 3),
        requests_per_s=round(len(taken) / whole, 1),
    )


def _judge(speed: Speed, gates: Gates) -> None:
    failures = []
    if speed.p95_ms > gates.p95_ms:
        failures.append(f"P95 is {speed.p95_ms:g} ms, gates.p95_ms allows {gates.p95_ms:g} ms")
    if speed.requests_per_s < gates.throughput_rps:
        failures.append(
            f"one connection gets {speed.requests_per_s:g} answers/s, "
            f"gates.throughput_rps asks for {gates.throughput_rps:g}"
        )
    if failures:
        raise GateFailed(
            f"The new server is too slow: {'; '.join(failures)}.",
            "The old version stays. Try again when the machine is less busy, or change the gate.",
            details={"p95_ms": speed.p95_ms, "requests_per_s": speed.requests_per_s},
        )
