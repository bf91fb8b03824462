"""What is live, held against the registry, the feature store and retail.yaml: each difference with what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from retailops.config import Config
from retailops.ports import Endpoint, Finding, ModelVersion, Publication
from retailops.retail.feature_groups import PRODUCT


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Setting → {"from", "to"}, of those that differ."""
    keys = sorted({*before, *after})
    return {key: {"from": before.get(key), "to": after.get(key)} for key in keys if before.get(key) != after.get(key)}


def unlike_file(endpoint: Endpoint, config: Config) -> dict[str, dict[str, Any]]:
    """Setting → {"live", "file"}, of those that the next deploy would change."""
    file = config.flat()
    return {
        key: {"live": value, "file": file[key]}
        for key, value in sorted(endpoint.settings.items())
        if key in file and file[key] != value
    }


def found(
    endpoint: Endpoint, versions: Sequence[ModelVersion], published: Sequence[Publication], config: Config
) -> list[Finding]:
    """Everything that isn't as a reader of registry, store and file would think."""
    if not endpoint.version:  # nobody could be asked: what is live isn't known, and so not how it differs
        return [Finding("endpoint", "failed", f"What is live can't be told: {endpoint.detail.get('why', '')}", "")]
    if not endpoint.version:
        return [_unknown(endpoint)]
    model = next((each for each in versions if each.version == endpoint.version), None)
    every = [
        _answers(endpoint),
        _bundle(endpoint, model),
        _rejected(endpoint, model, versions),
        _newer(endpoint, versions, config),
        _features(endpoint, model, versions, published),
        _settings(endpoint, config),
        _under_way(endpoint),
    ]
    return [each for each in every if each is not None] + _pods(endpoint) + _cluster(endpoint, config)


def _unknown(endpoint: Endpoint) -> Finding:
    """What serves can't be told, or isn't ours."""
    why = endpoint.detail.get("why") or "what serves there wasn't deployed by retailops"
    return Finding("endpoint", "failed", f"Nothing is known of the endpoint: {why}", "retailops doctor")


def _answers(endpoint: Endpoint) -> Finding | None:
    if endpoint.state == "ready":
        return None
    why = endpoint.detail.get("why") or endpoint.detail.get("says") or "it doesn't say why"
    fix = f"retailops logs; then retailops deploy --version {endpoint.version}"
    return Finding("endpoint", "failed", f"Version {endpoint.version} is {endpoint.state}: {why}.", fix)


def _bundle(endpoint: Endpoint, model: ModelVersion | None) -> Finding | None:
    served = endpoint.detail.get("bundle_hash")
    if model is None:
        what = f"Version {endpoint.version} is live, and the registry has no such version."
        return Finding("registry", "failed", what, "retailops models list; then retailops deploy --version N")
    if not served or served == model.run.bundle_hash:
        return None
    what = (
        f"What serves as version {endpoint.version} is the bundle {served[:12]}, "
        f"and the registry's is {model.run.bundle_hash[:12]}."
    )
    return Finding("registry", "failed", what, f"retailops deploy --version {endpoint.version}")


def _rejected(endpoint: Endpoint, model: ModelVersion | None, versions: Sequence[ModelVersion]) -> Finding | None:
    if model is None or model.approval.status != "rejected":
        return None
    approval = model.approval
    why = f": {approval.reason}" if approval.reason else ""
    what = f"Version {model.version} is live, and was rejected by {approval.by} on {approval.at[:10]}{why}."
    return Finding("approval", "failed", what, "retailops rollback, or retailops deploy --version N")


def _newer(endpoint: Endpoint, versions: Sequence[ModelVersion], config: Config) -> Finding | None:
    """Of versions that may go live; one that was live already was left on purpose."""
    left = {each.version for each in endpoint.before}
    may = ("approved",) if config.gates.approval == "required" else ("approved", "pending")
    waiting = [
        each
        for each in versions
        if each.version > endpoint.version and each.approval.status in may and each.version not in left
    ]
    if not waiting:
        return None
    newest = waiting[-1]
    state = "approved" if newest.approval.status == "approved" else "registered"
    what = f"Version {newest.version} is {state} and not live."
    return Finding("newer version", "warning", what, f"retailops deploy --version {newest.version}")


def _features(
    endpoint: Endpoint, model: ModelVersion | None, versions: Sequence[ModelVersion], published: Sequence[Publication]
) -> Finding | None:
    live = next((each.version for each in published if each.group == PRODUCT.name), None)
    if model is None or live in (None, model.run.bundle_hash[:16]):
        return None
    whose = next(
        (f"version {each.version}" for each in versions if each.run.bundle_hash[:16] == live), f"bundle {live}"
    )
    what = f"The store has the product features of {whose}; live is version {model.version}."
    return Finding("features", "warning", what, f"deploy that one, or retailops deploy --version {model.version}")


def _settings(endpoint: Endpoint, config: Config) -> Finding | None:
    unlike = unlike_file(endpoint, config)
    if not unlike:
        return None
    each = ", ".join(f"{key} is {value['live']}, there {value['file']}" for key, value in unlike.items())
    what = f"Live isn't as {config.path.name} says: {each}."
    return Finding("settings", "warning", what, f"retailops deploy --version {endpoint.version}")


def _under_way(endpoint: Endpoint) -> Finding | None:
    rolling = endpoint.detail.get("rolling")
    if not rolling:
        return None
    what = f"Version {rolling['to']} is taking the place of version {rolling['from']}, or was left half-way."
    return Finding(
        "rollout",
        "warning",
        what,
        f"wait for the command that does it, or retailops deploy --version {endpoint.version}",
    )


def _pods(endpoint: Endpoint) -> list[Finding]:
    """Pods that aren't ready and say why."""
    return [
        Finding("pod", "warning", f"The pod {pod['pod']} isn't ready: {pod['trouble']}", "retailops logs")
        for pod in endpoint.detail.get("pods") or ()
        if pod["trouble"]
    ]


def _cluster(endpoint: Endpoint, config: Config) -> list[Finding]:
    """Objects of the cluster that aren't as they would be deployed, each with all fields in which it isn't."""
    told = bool(unlike_file(endpoint, config))  # other limits have another ConfigMap, which needn't be said again
    objects: dict[str, list[str]] = {}
    for each in endpoint.detail.get("drift") or ():
        if told and (each["object"].startswith("ConfigMap ") or each["field"].endswith("configMapRef.name")):
            continue
        who = f" by {each['by']}" if each["by"] else ""
        objects.setdefault(each["object"], []).append(f"{each['field']} {each['what']}{who}".strip())
    fix = f"retailops deploy --version {endpoint.version}"
    return [Finding("cluster", "warning", f"{name}: {'; '.join(whats)}.", fix) for name, whats in objects.items()]
