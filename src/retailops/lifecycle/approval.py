"""models approve, models reject, and what deploy makes of it: a person's word on a version."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import Literal

from retailops.config import Config
from retailops.errors import GateFailed
from retailops.lifecycle.models import find
from retailops.lifecycle.outcome import Outcome
from retailops.lifecycle.register import decision
from retailops.ports import Approval, ModelVersion, Target


def decide(target: Target, version: int, status: Literal["approved", "rejected"], reason: str) -> Outcome:
    """Note the decision. One that stands already keeps its name and its time."""
    known = find(target, version)
    approval = Approval(status, _who(target.config), datetime.now(UTC).isoformat(timespec="seconds"), reason)
    model = target.models.decide(known.version, approval)
    endpoint = target.serving.endpoint()
    return Outcome(
        {
            "version": model.version,
            "run": model.run.id,
            "algorithm": model.run.algorithm,
            "live": endpoint is not None and endpoint.version == model.version,
            **decision(model.approval),
        }
    )


def refusal(model: ModelVersion, required: bool) -> GateFailed | None:
    """Why a version mustn't go live; None when it may."""
    approval, version = model.approval, model.version
    if approval.status == "rejected":
        why = f": {approval.reason}" if approval.reason else ""
        return GateFailed(
            f"Version {version} was rejected by {approval.by} on {approval.at[:10]}{why}.",
            f"Deploy another: retailops deploy --version N, or take it back: retailops models approve {version}",
            details=decision(approval),
        )
    if required and approval.status != "approved":
        return GateFailed(
            f"Version {version} isn't approved, and gates.approval is required.",
            f"Look at it, then: retailops models approve {version}",
            details=decision(approval),
        )
    return None


def _who(config: Config) -> str:
    """The project's owner, or the name that the system knows the person by."""
    try:
        return config.project.owner or getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return "unknown"
