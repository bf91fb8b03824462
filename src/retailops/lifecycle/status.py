"""status: what stands at this moment, asked and not remembered."""

from __future__ import annotations

from retailops.lifecycle import features
from retailops.lifecycle.deploy import describe
from retailops.lifecycle.outcome import Outcome
from retailops.ports import Target


def status(target: Target) -> Outcome:
    """Labelled datasets, features, runs, versions and the live endpoint, which is None when nothing is deployed."""
    endpoint = target.serving.endpoint()
    datasets = [dataset for dataset in target.lake.datasets() if dataset.labelled]
    versions = target.models.versions()
    return Outcome(
        {
            "project": target.config.project.name,
            "dataset": datasets[-1].version if datasets else None,
            "datasets": len(datasets),
            "runs": len(target.models.runs()),
            "features": features.told(target.features.published()),
            "newest_version": versions[-1].version if versions else None,
            "endpoint": describe(endpoint) if endpoint else None,
        }
    )
