"""deploy: a registered version goes live after it has proved itself; the old one stays if it doesn't."""

from __future__ import annotations

from typing import Any

from retailops.lifecycle.models import find
from retailops.lifecycle.outcome import Outcome
from retailops.ports import Endpoint, Target
from retailops.progress import Progress


def deploy(target: Target, version: int | None, progress: Progress) -> Outcome:
    """Roll out `version` (None: the newest)."""
    endpoint = target.serving.roll_out(find(target, version), progress)
    return Outcome({"endpoint": describe(endpoint)})


def describe(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "url": endpoint.url,
        "version": endpoint.version,
        "state": endpoint.state,
        "since": endpoint.since,
        **endpoint.detail,
    }
