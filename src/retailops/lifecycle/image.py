"""image: what a version, or a job, runs in: built, looked over, pushed, and found again by its digest."""

from __future__ import annotations

from typing import Any

from retailops.lifecycle.models import find
from retailops.lifecycle.outcome import Outcome
from retailops.ports import Image, ModelVersion, Target
from retailops.progress import Progress


def build(target: Target, version: int | None, progress: Progress, *, worker: bool, push: bool) -> Outcome:
    """Of `version` (None: the newest), or the image that jobs run in. Pushed already: nothing is built."""
    model = None if worker else find(target, version)
    return Outcome(_told(model, target.images.build(model, progress, push=push)))


def images(target: Target, progress: Progress) -> Outcome:
    """What the registry has: the image of jobs, and that of each version, the newest first."""
    wanted: list[ModelVersion | None] = [None, *reversed(target.models.versions())]
    progress.stage("asking the registry", len(wanted), "images")
    rows = []
    for number, model in enumerate(wanted, start=1):
        found = target.images.find(model)
        if found is not None:
            rows.append(_told(model, found))
        progress.advance(number)
    return Outcome({"images": rows})


def _told(model: ModelVersion | None, image: Image) -> dict[str, Any]:
    return {
        "image": image.reference,
        "version": model.version if model else None,
        "tag": image.tag,
        "bytes": image.bytes or None,
        "findings": dict(image.findings) or None,
        **image.detail,
    }
