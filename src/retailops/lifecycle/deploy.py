"""deploy: a registered version goes live after it has proved itself; the old one stays if it doesn't."""

from __future__ import annotations

from typing import Any

from retailops.config.sections import Gates
from retailops.lifecycle.approval import refusal
from retailops.lifecycle.models import find
from retailops.lifecycle.outcome import Outcome
from retailops.ports import Endpoint, Target
from retailops.progress import Progress
from retailops.retail.gates import Gate


def deploy(target: Target, version: int | None, progress: Progress) -> Outcome:
    """Roll out `version` (None: the newest). One that was rejected, or lacks the approval it needs, changes nothing."""
    model = find(target, version)
    refused = refusal(model, required=target.config.gates.approval == "required")
    if refused:
        return Outcome({"endpoint": None, "gates": [], "version": model.version}, failed=refused)
    endpoint = target.serving.roll_out(model, progress)
    verdicts = [gate.as_dict() for gate in speed_gates(endpoint, target.config.gates)]
    return Outcome({"endpoint": describe(endpoint), "gates": verdicts})


def speed_gates(endpoint: Endpoint, limits: Gates) -> list[Gate]:
    """What the rollout measured, beside the gates that it had to pass; empty where a target measures nothing."""
    measured = (
        ("P95 ms", "p95_ms", limits.p95_ms, "at most"),
        ("requests a second", "requests_per_s", limits.throughput_rps, "at least"),
    )
    return [
        Gate(name, float(endpoint.detail[key]), limit, direction)
        for name, key, limit, direction in measured
        if key in endpoint.detail
    ]


def describe(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "url": endpoint.url,
        "version": endpoint.version,
        "state": endpoint.state,
        "since": endpoint.since,
        **endpoint.detail,
    }
