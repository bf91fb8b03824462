"""rollback: what served before serves again: model, settings and product features together, checked first."""

from __future__ import annotations

from typing import Any

from retailops.errors import NotReady, RetailOpsError
from retailops.lifecycle import features
from retailops.lifecycle.approval import refusal
from retailops.lifecycle.deploy import describe, speed_gates
from retailops.lifecycle.differences import changed, unlike_file
from retailops.lifecycle.models import find
from retailops.lifecycle.outcome import Outcome
from retailops.ports import Endpoint, Target
from retailops.progress import Progress


def rollback(target: Target, to: int | None, progress: Progress) -> Outcome:
    """Undo the last deploy, or go back to version `to`. Done already, it is proved again, and what is missing follows.

    What was rejected since, or lacks an approval that is needed now, isn't gone back to (exit 4).
    """
    live = target.serving.endpoint()
    came_from: dict[str, Any] = {"from": live.version if live else None}
    # Of one that can't be reached nothing is known, version 0 included: going back then says why.
    if live and live.version and (refused := _refused(target, live, to)):
        return Outcome({**came_from, "to": None, "endpoint": None, "gates": []}, failed=refused)
    endpoint = target.serving.roll_back(to, progress)  # where nothing is live, it says so
    model = find(target, endpoint.version)
    followed = features.follow(target, model, progress)
    return Outcome(
        {
            **came_from,
            "to": endpoint.version,
            "repeated": live is not None and live.since == endpoint.since,
            "endpoint": describe(endpoint),
            "gates": [gate.as_dict() for gate in speed_gates(endpoint, target.config.gates)],
            "reverted": {
                "model": model.run.bundle_hash,
                "config": changed(live.settings if live else {}, endpoint.settings),
                "features": followed.version,
            },
            "unlike_retail_yaml": unlike_file(endpoint, target.config),
            "served_before": sorted({each.version for each in endpoint.before} - {endpoint.version}),
        },
        failed=followed.failed,
    )


def _refused(target: Target, live: Endpoint, to: int | None) -> RetailOpsError | None:
    """Why the version that is aimed at may not serve again."""
    served = live.earlier(to)
    version = served.version if served else live.version
    model = next((each for each in target.models.versions() if each.version == version), None)
    if model is None or (served and model.run.bundle_hash != served.bundle_hash):
        what = f"Version {version} served before, and the registry doesn't know it as it was."
        return NotReady(what, f"Version {live.version} stays. Deploy another: retailops deploy --version N")
    return refusal(model, required=target.config.gates.approval == "required")
