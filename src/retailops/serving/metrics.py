"""Counters of the server, in the text format that Prometheus reads."""

from __future__ import annotations

import resource
import sys
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping

from retailops.retail.columns import LABELS

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0)  # seconds


class Route:
    """Answers of one route by status, and how long they took."""

    def __init__(self) -> None:
        self.statuses: dict[int, int] = {}
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0

    def answered(self, status: int, seconds: float) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.buckets[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds


class Metrics:
    """All counters of one server process; touched by its event loop only, except `dropped`, which only grows."""

    def __init__(self, info: Mapping[str, str]) -> None:
        self.info = dict(info)
        self.routes: dict[str, Route] = {}
        self.classes = dict.fromkeys(LABELS, 0)
        self.coverage = 0.0
        self.dropped = 0
        self.ready = False
        self.started = time.time()

    def route(self, name: str) -> Route:
        return self.routes.setdefault(name, Route())

    def predicted(self, label: str, coverage: float) -> None:
        self.classes[label] += 1
        self.coverage += coverage

    def text(self) -> str:
        """The exposition format 0.0.4."""
        return "\n".join([*self._requests(), *self._predictions(), *self._process(), ""])

    def _requests(self) -> Iterator[str]:
        yield from _head("retailops_requests_total", "counter", "Requests by route and status.")
        for name, route in sorted(self.routes.items()):
            for status, count in sorted(route.statuses.items()):
                yield f'retailops_requests_total{{route="{name}",status="{status}"}} {count}'
        yield from _head("retailops_request_seconds", "histogram", "Time from a request's headers to its answer.")
        for name, route in sorted(self.routes.items()):
            total = 0
            for bound, count in zip((*BUCKETS, "+Inf"), route.buckets, strict=True):
                total += count
                yield f'retailops_request_seconds_bucket{{route="{name}",le="{bound}"}} {total}'
            yield f'retailops_request_seconds_sum{{route="{name}"}} {route.seconds:.6f}'
            yield f'retailops_request_seconds_count{{route="{name}"}} {total}'

    def _predictions(self) -> Iterator[str]:
        yield from _head("retailops_predictions_total", "counter", "Baskets predicted, by class.")
        for label, count in self.classes.items():
            yield f'retailops_predictions_total{{prediction="{label}"}} {count}'
        yield from _head("retailops_coverage", "summary", "Share of a basket's lines whose product the model knows.")
        yield f"retailops_coverage_sum {self.coverage:.6f}"
        yield f"retailops_coverage_count {sum(self.classes.values())}"
        yield from _head("retailops_log_dropped_total", "counter", "Predictions that were answered but not logged.")
        yield f"retailops_log_dropped_total {self.dropped}"

    def _process(self) -> Iterator[str]:
        yield from _head("retailops_bundle_info", "gauge", "The bundle that is served.")
        labels = ",".join(f'{key}="{_escaped(value)}"' for key, value in self.info.items())
        yield f"retailops_bundle_info{{{labels}}} 1"
        yield from _head("retailops_ready", "gauge", "1 while new requests are welcome.")
        yield f"retailops_ready {int(self.ready)}"
        yield from _head("process_cpu_seconds_total", "counter", "CPU time of the server.")
        yield f"process_cpu_seconds_total {time.process_time():.3f}"
        yield from _head("process_start_time_seconds", "gauge", "When the server started, in seconds since 1970.")
        yield f"process_start_time_seconds {self.started:.3f}"
        yield from _head("retailops_peak_memory_bytes", "gauge", "Largest resident size of the server so far.")
        unit = 1 if sys.platform == "darwin" else 1024
        yield f"retailops_peak_memory_bytes {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}"


def _head(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
