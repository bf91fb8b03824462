"""Copies of manifests as a server can take them that is older than they are."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Mapping
from typing import Any

# group/version → what came before it, of the same shape but for the fields named
EARLIER: dict[str, tuple[str, tuple[str, ...]]] = {
    "autoscaling/v2": ("autoscaling/v2beta2", ()),  # before 1.23
    "policy/v1": ("policy/v1beta1", ("unhealthyPodEvictionPolicy",)),  # before 1.21; the field came in 1.26
}


def aged(objects: Iterable[Mapping[str, Any]], served: Collection[str]) -> list[dict[str, Any]]:
    """Copies; only what a server lacks of `served` (group/version) is rewritten, so a current one gets all as it is."""
    return [_aged(copy.deepcopy(dict(each)), served) for each in objects]


def _aged(found: dict[str, Any], served: Collection[str]) -> dict[str, Any]:
    version = found.get("apiVersion", "")
    if version in served or version not in EARLIER:
        return found
    found["apiVersion"], lacking = EARLIER[version]
    for field in lacking:
        found.get("spec", {}).pop(field, None)
    return found
