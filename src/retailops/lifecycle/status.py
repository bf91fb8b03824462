"""status: what stands at this moment, asked and not remembered."""

from __future__ import annotations

from dataclasses import asdict

from retailops.lifecycle import differences, features
from retailops.lifecycle.deploy import describe
from retailops.lifecycle.outcome import Outcome
from retailops.ports import Target


def status(target: Target) -> Outcome:
    """Labelled datasets, features, runs, versions and the live endpoint, which is None when nothing is deployed.

    `findings` are where the endpoint differs from what registry, feature store and retail.yaml would make one think.
    """
    endpoint = target.serving.endpoint()
    datasets = [dataset for dataset in target.lake.datasets() if dataset.labelled]
    versions = target.models.versions()
    published = target.features.published()
    found = differences.found(endpoint, versions, published, target.config) if endpoint else []
    approved = [model.version for model in versions if model.approval.status == "approved"]
    return Outcome(
        {
            "project": target.config.project.name,
            "dataset": datasets[-1].version if datasets else None,
            "datasets": len(datasets),
            "runs": len(target.models.runs()),
            "features": features.told(published),
            "newest_version": versions[-1].version if versions else None,
            "newest_approved": approved[-1] if approved else None,
            "endpoint": describe(endpoint) if endpoint else None,
            "served_before": [{"version": each.version, "since": each.since} for each in endpoint.before]
            if endpoint
            else [],
            "findings": [asdict(each) for each in found],
        }
    )
