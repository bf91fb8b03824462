"""register: a run becomes a model version, if and only if it passes every gate."""

from __future__ import annotations

from typing import Any

from retailops.errors import GateFailed, NotReady, UsageError
from retailops.lifecycle import features
from retailops.lifecycle.outcome import Outcome
from retailops.ports import Approval, ModelVersion, Run, Target
from retailops.progress import Progress
from retailops.retail import gates


def register(target: Target, run_id: str | None, progress: Progress) -> Outcome:
    """Register a run: the one named, else the best of the newest dataset. A refused one changes nothing (exit 4)."""
    run = named(target.models.runs(), run_id) if run_id else best(target)
    verdicts = gates.of_scorecard(run.scorecard, target.config.gates.model_dump())
    shown: dict[str, Any] = {"run": run.id, "algorithm": run.algorithm, "gates": [gate.as_dict() for gate in verdicts]}
    missed = [gate for gate in verdicts if not gate.ok]
    if missed:
        return Outcome({**shown, "version": None}, failed=_refusal(run, missed))
    progress.stage("registering")
    model = target.models.add(run)
    published = features.publish_products(target, model.run, progress)
    return Outcome({**shown, **lineage(model), "features": features.told(published)})


def best(target: Target) -> Run:
    """The champion among the runs of the newest dataset: highest macro F1, then lowest pricing error, then name."""
    return min(
        candidates(target), key=lambda run: (-run.scorecard["macro_f1"], run.scorecard["pricing_error"], run.algorithm)
    )


def candidates(target: Target) -> list[Run]:
    """The runs of the newest dataset that has any. NotReady when there is no run at all."""
    runs = target.models.runs()
    if not runs:
        raise NotReady("There is no run to register.", "Run first: retailops train --algo all")
    datasets = [dataset.version for dataset in target.lake.datasets() if dataset.labelled]
    newest = next((version for version in reversed(datasets) if any(run.dataset == version for run in runs)), None)
    return [run for run in runs if newest is None or run.dataset == newest]


def named(runs: list[Run], run_id: str) -> Run:
    """The run whose id begins so. UsageError when none or several do."""
    matches = [run for run in runs if run.id.startswith(run_id)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise UsageError(
            f"{len(matches)} runs start with {run_id!r}.", "Give more letters; list them: retailops models runs"
        )
    raise UsageError(f"There is no run {run_id!r}.", "List the runs: retailops models runs")


def _refusal(run: Run, missed: list[gates.Gate]) -> GateFailed:
    failing = "; ".join(str(gate) for gate in missed)
    return GateFailed(
        f"Run {run.id} ({run.algorithm}) isn't registered: {failing}.",
        "Look at its report for what goes wrong, train on more weeks, or change the gates in retail.yaml.",
        details={"gates": [gate.as_dict() for gate in missed]},
    )


def lineage(model: ModelVersion) -> dict[str, Any]:
    """The way from a version back to its bundle, its run and its data."""
    run = model.run
    return {
        "version": model.version,
        "run": run.id,
        "algorithm": run.algorithm,
        "dataset": run.dataset,
        "bundle": run.bundle_hash,
        "folder": str(run.bundle),
        "created": run.created,
        "tuned_by": run.tuned_by or None,
        **decision(model.approval),
    }


def decision(approval: Approval) -> dict[str, Any]:
    """What was decided about a version, and by whom."""
    return {
        "approval": approval.status,
        "decided_by": approval.by or None,
        "decided_at": approval.at or None,
        "reason": approval.reason or None,
    }
