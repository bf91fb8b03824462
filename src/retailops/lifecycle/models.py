"""models: what is registered, what was trained, and where each came from."""

from __future__ import annotations

from typing import Any

from retailops.errors import NotReady, UsageError
from retailops.lifecycle.outcome import Outcome
from retailops.lifecycle.register import lineage
from retailops.ports import ModelVersion, Run, Target

SUMMARY = ("accuracy", "macro_f1", "pricing_error_change")


def versions(target: Target) -> Outcome:
    """All registered versions with their main figures; `live` marks the one that is served."""
    endpoint = target.serving.endpoint()
    live = endpoint.version if endpoint else None
    rows = [
        {**lineage(model), **_summary(model.run), "live": model.version == live} for model in target.models.versions()
    ]
    return Outcome({"models": rows})


def show(target: Target, version: int) -> Outcome:
    """One version whole: lineage, parameters, scorecard."""
    model = find(target, version)
    run = model.run
    return Outcome({**lineage(model), "parameters": dict(run.parameters), "scorecard": dict(run.scorecard)})


def runs(target: Target) -> Outcome:
    """All training runs, oldest first, with the version that they became."""
    registered = {model.run.id: model.version for model in target.models.versions()}
    rows = [
        {"run": run.id, "algorithm": run.algorithm, "dataset": run.dataset, "created": run.created}
        | {"tuned_by": run.tuned_by or None}
        | _summary(run)
        | {"version": registered.get(run.id)}
        for run in target.models.runs()
    ]
    return Outcome({"runs": rows})


def find(target: Target, version: int | None) -> ModelVersion:
    """The version of this number, None for the newest. NotReady when nothing is registered."""
    known = target.models.versions()
    if not known:
        raise NotReady("No model is registered.", "Run first: retailops register")
    if version is None:
        return known[-1]
    for model in known:
        if model.version == version:
            return model
    raise UsageError(
        f"There is no version {version}.", f"Registered: {', '.join(str(model.version) for model in known)}."
    )


def _summary(run: Run) -> dict[str, Any]:
    return {name: run.scorecard[name] for name in SUMMARY}
