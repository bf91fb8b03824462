"""deploy: a registered version goes live after it has proved itself; the old one stays if it doesn't."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from retailops import files
from retailops.config.sections import Gates
from retailops.errors import UsageError
from retailops.lifecycle import features
from retailops.lifecycle.approval import refusal
from retailops.lifecycle.models import find
from retailops.lifecycle.outcome import Outcome
from retailops.ports import Change, Endpoint, Manifest, Target
from retailops.progress import Progress
from retailops.retail.gates import Gate


def planned(target: Target) -> list[Change]:
    """What a deploy would start, or replace, that is paid for by the hour."""
    return target.serving.changes()


def deploy(target: Target, version: int | None, progress: Progress) -> Outcome:
    """Roll out `version` (None: the newest). One that was rejected, or lacks the approval it needs, changes nothing.

    What it has learned of products becomes live with it, since an older version may be deployed too.
    """
    model = find(target, version)
    refused = refusal(model, required=target.config.gates.approval == "required")
    if refused:
        return Outcome({"endpoint": None, "gates": [], "version": model.version}, failed=refused)
    endpoint = target.serving.roll_out(model, progress)
    verdicts = [gate.as_dict() for gate in speed_gates(endpoint, target.config.gates)]
    followed = features.follow(target, model, progress)
    shown = {"endpoint": describe(endpoint), "gates": verdicts, "features": followed.version}
    return Outcome(shown, failed=followed.failed)


def render(target: Target, version: int | None, folder: Path) -> Outcome:
    """Write the manifests of `version` (None: the newest) into `folder`; what an earlier rendering left there goes.

    What may not be deployed isn't written down either.
    """
    rendering = target.serving.rendering()  # first, since where there is none no version is missing
    model = find(target, version)
    refused = refusal(model, required=target.config.gates.approval == "required")
    if refused:
        raise refused
    manifests = rendering(model)
    try:
        _write(manifests, folder)
    except OSError as problem:
        what = f"The manifests can't be written into {folder}: {problem.strerror}."
        raise UsageError(what, "Name a folder that you may write into: --render DIR.") from problem
    objects = [
        {"file": manifest.file, "kind": each["kind"], "name": each["metadata"]["name"]}
        for manifest in manifests
        for each in manifest.objects
    ]
    return Outcome({"version": model.version, "folder": str(folder.absolute()), "objects": objects})


def _write(manifests: tuple[Manifest, ...], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    kept = {manifest.file for manifest in manifests}
    for old in folder.glob("[0-9][0-9]-*.yaml"):  # or `kubectl apply -f` would bring it back
        if old.name not in kept:
            old.unlink()
    for manifest in manifests:
        files.write_text(folder / manifest.file, manifest.text)


def speed_gates(endpoint: Endpoint, limits: Gates) -> list[Gate]:
    """What the rollout measured, beside the gates that it had to pass; empty where a target measures nothing."""
    measured = (
        ("P95 ms", "p95_ms", limits.p95_ms, "at most"),
        ("requests a second", "requests_per_s", limits.throughput_rps, "at least"),
    )
    return [
        Gate(name, float(endpoint.detail[key]), limit, direction)
        for name, key, limit, direction in measured
        if key in endpoint.detail
    ]


def describe(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "url": endpoint.url,
        "version": endpoint.version,
        "state": endpoint.state,
        "since": endpoint.since,
        **endpoint.detail,
    }
