"""Constant load as a load balancer's clients make it: at a steady rate, whatever the answers do, a new connection each.

Open-loop: the next request is due when the clock says so and not when the last one is answered, so a server that
stands still for a second gets all the requests of that second.
"""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from retailops.retail import bundle as bundles

_HEADERS = {"Content-Type": "application/json", "Connection": "close"}


def baskets(bundle: Path, max_lines: int = 500) -> list[dict[str, Any]]:
    """What a server of this bundle can be asked for: its golden rows."""
    rows = json.loads((bundle / bundles.GOLDEN).read_text())
    return [row["basket"] for row in rows if len(row["basket"]["lines"]) <= max_lines]


def bodies(bundle: Path) -> list[bytes]:
    """Of requests to /predict."""
    return [json.dumps(each).encode() for each in baskets(bundle)]


def batch(bundle: Path, size: int) -> bytes:
    """Of a request to /predict/batch."""
    return json.dumps({"baskets": list(itertools.islice(itertools.cycle(baskets(bundle)), size))}).encode()


@dataclass(frozen=True)
class Failure:
    """A request that wasn't answered with 200."""

    at_s: float  # since the load began
    took_s: float
    reason: str


class Load:
    """Runs from `with` to its end; what it counted is complete after it, and can be looked at in between."""

    def __init__(
        self,
        address: str,
        bodies: Sequence[bytes],
        *,
        rps: float = 40,
        threads: int = 16,
        timeout_s: float = 10,
        path: str = "/predict",
    ) -> None:
        self._address, self._path, self._timeout_s = address, path, timeout_s
        self.rps = rps  # may be changed while it runs
        self._bodies = itertools.cycle(bodies)
        self._next = 0.0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._work, name=f"load-{each}") for each in range(threads)]
        self._began = 0.0
        self.failures: list[Failure] = []
        self.times_s: list[float] = []  # of those that were answered
        self.versions: Counter[int] = Counter()  # model_version of the answers
        self.late = 0  # sent more than a second after they were due, since no thread was free

    def __enter__(self) -> Self:
        self._began = self._next = time.monotonic()
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._ended.set()
        for each in self._threads:
            each.join()

    @property
    def total(self) -> int:
        return len(self.times_s) + len(self.failures)

    @property
    def failed(self) -> int:
        return len(self.failures)

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    @property
    def p95_ms(self) -> float:
        ordered = sorted(self.times_s)
        return round(ordered[int(len(ordered) * 0.95)] * 1000, 1) if ordered else 0.0

    def __str__(self) -> str:
        reasons = Counter(each.reason for each in self.failures)
        why = "".join(f"; {count} × {reason}" for reason, count in reasons.most_common(5))
        return f"requests {self.total} total / {self.failed} failed, P95 {self.p95_ms:g} ms{why}"

    def _due(self) -> Iterator[tuple[float, bytes]]:
        while True:
            with self._lock:
                due, body = self._next, next(self._bodies)
                self._next += 1 / self.rps
            if self._ended.wait(max(0.0, due - time.monotonic())):
                return
            yield due, body

    def _work(self) -> None:
        for due, body in self._due():
            began = time.monotonic()
            reason, version = self._ask(body)
            took = time.monotonic() - began
            with self._lock:
                self.late += began - due > 1
                if reason:
                    self.failures.append(Failure(round(began - self._began, 3), round(took, 3), reason))
                else:
                    self.times_s.append(took)
                    self.versions[version] += 1

    def _ask(self, body: bytes) -> tuple[str, int]:
        """(why it failed or nothing, the version that answered)."""
        connection = http.client.HTTPConnection(self._address, timeout=self._timeout_s)
        try:
            connection.request("POST", self._path, body, _HEADERS)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as problem:
            return f"{type(problem).__name__}: {problem}", 0
        finally:
            connection.close()
        if answer.status != 200:
            return f"status {answer.status}: {content[:80].decode(errors='replace')}", 0
        try:
            told = json.loads(content)
            return "", int(told.get("predictions", [told])[0]["model_version"])
        except (ValueError, LookupError, TypeError, AttributeError):
            return f"not an answer: {content[:80].decode(errors='replace')}", 0
