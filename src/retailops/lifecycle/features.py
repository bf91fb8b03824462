"""features: what the feature store holds, and how datasets and registered models get into it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from retailops.errors import RetailOpsError, TargetFailed, Unsupported, UsageError
from retailops.lifecycle import fingerprint
from retailops.lifecycle.outcome import Outcome
from retailops.ports import Job, ModelVersion, Publication, Record, Run, Target
from retailops.progress import Progress
from retailops.retail import records
from retailops.retail.bundle import Bundle
from retailops.retail.dataset import Dataset
from retailops.retail.feature_groups import GROUPS, OF_DATASETS, PRODUCT, REASONS, Group


def ingest(target: Target, progress: Progress) -> Outcome:
    """Bring what the newest dataset and the newest version know into the store. What is live already stays as it is."""
    from retailops.lifecycle.train import latest_dataset

    published = publish_dataset(target, latest_dataset(target), progress)
    if versions := target.models.versions():
        published += publish_products(target, versions[-1].run, progress)
    reused = bool(published) and all(each.reused for each in published)
    return Outcome({"features": told(published), "reasons": dict(REASONS), "reused": reused})


def publish_dataset(target: Target, dataset: Dataset, progress: Progress) -> list[Publication]:
    """The groups that are made of datasets, by a job of its own: the ETL's time is the ETL's.

    None, and a note, on a target without a feature store.
    """
    wanted = {(group.name, dataset.version) for group in OF_DATASETS}
    try:
        live = [each for each in target.features.published() if (each.group, each.version) in wanted]
        if len(live) == len(wanted):
            return live
        settings = target.config.etl
        parameters = {"memory_mb": settings.memory_mb, "threads": settings.threads}
        key = fingerprint.key("features", dataset.version, fingerprint.code())
        made = target.jobs.run(Job("features", key, {"dataset": dataset.folder}, parameters), progress)
        return [
            target.features.publish(group, dataset.version, made.folder / f"{group.name}.parquet", progress)
            for group in OF_DATASETS
        ]
    except Unsupported as error:
        progress.note(f"No features are published: {error.what}")
        return []


def publish_products(target: Target, run: Run, progress: Progress) -> list[Publication]:
    """What the run has learned of each product; nothing for a model without leanings."""
    bundle = Bundle.open(run.bundle)
    version = bundle.hash[:16]
    path = target.lake.scratch() / f"{PRODUCT.name}-{version}.parquet"
    if records.of_bundle(bundle, path) is None:
        return []
    try:
        return [target.features.publish(PRODUCT, version, path, progress)]
    except Unsupported as error:
        progress.note(f"No product features are published: {error.what}")
        return []
    finally:
        path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Followed:
    """The version of the product features that is live now, and why it isn't the one that should be."""

    version: str | None
    failed: RetailOpsError | None = None


def follow(target: Target, model: ModelVersion, progress: Progress) -> Followed:
    """Make live what the version that serves now has learned of products. It is already: nothing is done.

    A failure is told and not raised: the version serves, and the same command again finishes this.
    """
    wanted = model.run.bundle_hash[:16]
    try:
        live = _live_products(target)
        if live != wanted:
            publish_products(target, model.run, progress)
            live = _live_products(target)
        return Followed(live)
    except Unsupported as error:
        progress.note(f"No product features are published: {error.what}")
        return Followed(None)
    except RetailOpsError as error:
        what = f"Version {model.version} serves, and the store has other product features than it: {error.what}"
        return Followed(None, TargetFailed(what, f"{error.fix} The same command again goes on from here."))


def _live_products(target: Target) -> str | None:
    return next((each.version for each in target.features.published() if each.group == PRODUCT.name), None)


def told(published: Iterable[Publication]) -> dict[str, dict[str, Any]]:
    """Group → its live version, with counts that add up."""
    return {
        each.group: {
            "version": each.version,
            "records": each.records,
            "written": each.written,
            "rejected": dict(each.rejected),
            "keys": each.keys,
            "published": each.published,
        }
        for each in published
    }


def groups(target: Target) -> Outcome:
    """Every group that is declared: its key, its features, and the version that is live, None when none is."""
    live = told(target.features.published())
    rows = [
        {"group": group.name, "key": group.key, "features": dict(group.features), "live": live.get(group.name)}
        for group in GROUPS.values()
    ]
    return Outcome({"groups": rows, "reasons": dict(REASONS)})


def show(target: Target, name: str, key: str, before: str | None) -> Outcome:
    """One record: the one that is online, or the newest strictly before a moment. UsageError for an unknown key."""
    group = _named(name)
    moment = _moment(before) if before else None
    found = target.features.online(group, [key]).get(key)
    if moment is not None:
        (found,) = target.features.before(group, [(key, moment)])
    if found is None:
        when = f" before {moment.isoformat()}" if moment else ""
        raise UsageError(
            f"The feature store knows no {group.name} {key!r}{when}.", f"Give a {group.key} of the published data."
        )
    return Outcome({"group": group.name, **_record(found), "before": moment.isoformat() if moment else None})


def _record(found: Record) -> dict[str, Any]:
    return {"key": found.key, "event_time": found.event_time.isoformat(), "features": dict(found.features)}


def _named(name: str) -> Group:
    if name not in GROUPS:
        raise UsageError(f"There is no feature group {name!r}.", f"Groups: {', '.join(GROUPS)}.")
    return GROUPS[name]


def _moment(text: str) -> datetime:
    """A day or a moment in ISO 8601; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--before {text} isn't a moment.", "Write it like 2007-05-01 or 2007-05-01T14:00.") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
