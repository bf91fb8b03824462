"""Floor 3, rollout: what a server must show before it goes live: the golden rows over HTTP, and how fast it answers.

The golden rows are the skew certificate: the features that the live server computes are equal to those of training, bit
by bit, and so are its predictions. Whichever way leads to the server, these checks are the same; how its speed is told
depends on the way, see `prove` and retailops.rollout.pod_proof.
"""

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
STAYS = "The old version stays. The new server's log says more: <workspace>/serving/logs."
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


class Asking(Protocol):
    """A way to a server. OSError when nobody answers, ValueError when the answer isn't JSON."""

    def get(self, path: str) -> tuple[int, Any]: ...
    def post(self, path: str, body: bytes) -> tuple[int, Any]: ...


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
    golden = certify(client, predictor, max_lines)
    try:
        speed = _probe(client, golden)
    except (OSError, ValueError) as error:
        raise TargetFailed(f"The new server doesn't answer as it should: {error}.", STAYS) from error
    judge(speed, gates, "The old version stays. Try again when the machine is less busy, or change the gate.")
    return speed


def certify(
    client: Asking, predictor: Predictor, max_lines: int, who: str = "The new server", fix: str = STAYS
) -> list[dict[str, Any]]:
    """Readiness and golden rows; the rows come back. TargetFailed says what is different and in which basket."""
    golden = [row for row in predictor.golden if len(row["basket"]["lines"]) <= max_lines]
    if not golden:
        raise TargetFailed("No golden row of the bundle fits into deploy.max_lines.", "Raise deploy.max_lines.")
    try:
        status, answer = client.get("/readyz")
        if status != 200:
            raise TargetFailed(f"{who} says that it isn't ready: {answer}.", fix)
        for row in golden:
            found = _difference(client, row, predictor.feature_names)
            if found:
                raise TargetFailed(f"{who} isn't what was trained. {found}", fix)
        _, model = client.get("/model")
        served, wanted = (model["model_version"], model["bundle_hash"]), (predictor.version, predictor.bundle_hash)
    except (OSError, ValueError, KeyError, TypeError, msgspec.ValidationError) as error:
        raise TargetFailed(f"{who} doesn't answer as it should: {error}.", fix) from error
    if served != wanted:
        what = f"{who} has version {served[0]} with bundle {served[1]}, wanted is {wanted[0]} with {wanted[1]}."
        raise TargetFailed(what, fix)
    return golden


def _difference(client: Asking, row: dict[str, Any], names: Sequence[str]) -> str:
    """What is different between a golden row and the answer to it; nothing when nothing is."""
    status, answer = client.post("/predict?explain=features", json.dumps(row["basket"]).encode())
    name = row["basket"]["basket_id"]
    if status != 200:
        return f"The golden basket {name} is answered with {status}: {answer}."
    wrong = disagrees(row, msgspec.convert(answer, Prediction), answer["features"], names)
    return f"The golden basket {name} comes out differently over HTTP: {wrong}." if wrong else ""


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


def judge(speed: Speed, gates: Gates, fix: str) -> None:
    """GateFailed when it is slower than the gates allow."""
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
            fix,
            details={"p95_ms": speed.p95_ms, "requests_per_s": speed.requests_per_s},
        )
