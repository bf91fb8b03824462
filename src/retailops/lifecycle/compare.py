"""models compare: runs side by side, wherever their parameters came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from retailops.lifecycle.outcome import Outcome
from retailops.lifecycle.register import candidates, named
from retailops.ports import ModelVersion, Run, Target
from retailops.retail import gates

METRICS = ("accuracy", "macro_f1", "precision", "recall", "f1", "pricing_error_change", "coverage", "baskets")


def compare(target: Target, ids: Sequence[str]) -> Outcome:
    """The runs named, or all of the newest dataset: data, parameters that differ, figures, gates, tuned or not."""
    chosen = [named(target.models.runs(), each) for each in ids] if ids else candidates(target)
    runs = list({run.id: run for run in chosen}.values())
    versions = {model.run.id: model for model in target.models.versions()}
    limits = target.config.gates.model_dump()
    rows = [{**_row(run, versions.get(run.id)), "gates": _gates(run, limits)} for run in runs]
    return Outcome({"runs": rows, "differ": _differing(runs), "same_data": len({run.dataset for run in runs}) == 1})


def _row(run: Run, model: ModelVersion | None) -> dict[str, Any]:
    return {
        "run": run.id,
        "algorithm": run.algorithm,
        "dataset": run.dataset,
        "created": run.created,
        "tuned_by": run.tuned_by or None,
        "version": model.version if model else None,
        "approval": model.approval.status if model else None,
        "parameters": dict(run.parameters),
        "metrics": {name: run.scorecard[name] for name in METRICS if name in run.scorecard},
    }


def _gates(run: Run, limits: dict[str, Any]) -> list[dict[str, Any]]:
    return [gate.as_dict() for gate in gates.of_scorecard(run.scorecard, limits)]


def _differing(runs: Sequence[Run]) -> list[str]:
    """Parameters that not all of the runs have with the same value, in the order in which the runs name them."""
    names = dict.fromkeys(name for run in runs for name in run.parameters)
    missing = object()
    return [
        name for name in names if any(run.parameters.get(name, missing) != runs[0].parameters.get(name) for run in runs)
    ]
