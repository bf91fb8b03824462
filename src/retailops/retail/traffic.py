"""What a server was asked and answered: counts, latency, class mix, coverage and drift, from its prediction log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retailops.retail.columns import LABELS
from retailops.retail.drift import PREDICTIONS, psi

PERCENTILES = (50, 90, 95, 99)


def summarise(
    records: Iterable[Mapping[str, Any]], version: int, reference: Mapping[str, Any], names: Sequence[str]
) -> dict[str, Any]:
    """Summarise log records (dicts as the server writes them), oldest first.

    Latency in milliseconds as the server measured it. Class mix, coverage and drift are of `version` alone; requests
    and errors are of all versions. `reference` and feature `names` come from the version's bundle. An error is a 5xx
    answer.
    """
    latencies: list[float] = []
    features: list[Sequence[float]] = []
    labels: list[int] = []
    covered: list[float] = []
    statuses: dict[str, int] = {}
    for record in records:
        status = int(record["status"])
        statuses[str(status)] = statuses.get(str(status), 0) + 1
        if record.get("latency_ms") is not None:
            latencies.append(float(record["latency_ms"]))
        if status == 200 and record["version"] == version and len(record["features"]) == len(names):
            features.append(record["features"])
            labels.append(LABELS.index(record["prediction"]))
            covered.append(float(record["coverage"]))
    requests = sum(statuses.values())
    errors = sum(count for status, count in statuses.items() if int(status) >= 500)
    predicted, milliseconds = np.array(labels, dtype=np.int64), np.array(latencies)
    return {
        "requests": requests,
        "statuses": statuses,
        "error_rate": errors / requests if requests else 0.0,
        "predictions": len(labels),
        "latency_ms": _percentiles(milliseconds),
        "latency_histogram": _histogram(milliseconds),
        "mix": _mix(predicted),
        "training_mix": dict(zip(LABELS, reference["bins"][PREDICTIONS]["shares"], strict=True)),
        "coverage": float(np.mean(covered)) if covered else None,
        "psi": psi(reference, np.array(features, dtype=np.float64), predicted) if labels else {},
    }


def _percentiles(values: NDArray[np.float64]) -> dict[str, float]:
    return {f"p{share}": float(np.percentile(values, share)) for share in PERCENTILES} if len(values) else {}


def _histogram(values: NDArray[np.float64]) -> dict[str, list[float]]:
    if not len(values):
        return {"edges_ms": [], "counts": []}
    counts, edges = np.histogram(values, bins=30, range=(0.0, float(np.percentile(values, 99.5)) or 1.0))
    return {"edges_ms": edges.tolist(), "counts": counts.tolist()}


def _mix(predicted: NDArray[np.int64]) -> dict[str, float]:
    counts = np.bincount(predicted, minlength=len(LABELS))
    return {label: float(count / max(1, len(predicted))) for label, count in zip(LABELS, counts, strict=True)}
