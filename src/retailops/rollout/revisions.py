"""Floor 3, rollout: what served before, from the cluster's own memory: the ReplicaSets that a Deployment keeps.

Each holds the whole template that its pods were made from: image by digest, version, bundle, the name of its ConfigMap.
What has proved itself is marked on it, so whoever comes after a command that was killed knows what to go back to.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from retailops.ports import Served
from retailops.rollout import site as names
from retailops.rollout.site import Site
from retailops.rollout.watching import current_set, sets
from retailops.tools.kube import Cluster, Ref

PROVEN = "retailops/proven"  # when it had proved itself, ISO 8601, UTC
RETURNED = "retailops/returned"  # it serves by a rollback
SPEED = "retailops/speed"  # what was measured then, JSON
_CONFIG = re.compile(rf"{names.NAME}-[0-9a-f]{{10}}")
_HASH = "pod-template-hash"


@dataclass(frozen=True)
class Revision:
    """A ReplicaSet."""

    found: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.found["metadata"]["name"])

    @property
    def ref(self) -> Ref:
        return Ref("apps/v1", "ReplicaSet", self.name, self.found["metadata"]["namespace"])

    @property
    def template(self) -> dict[str, Any]:
        """What its pods are made from, fit for a Deployment."""
        made: dict[str, Any] = copy.deepcopy(self.found["spec"]["template"])
        made["metadata"].get("labels", {}).pop(_HASH, None)
        made["metadata"].pop("creationTimestamp", None)
        return made

    @property
    def version(self) -> int:
        """0 for what isn't ours."""
        told = str(self.template["metadata"].get("labels", {}).get(names.VERSION, ""))
        return int(told) if told.isdigit() else 0

    @property
    def bundle_hash(self) -> str:
        return str((self.template["metadata"].get("annotations") or {}).get(names.BUNDLE, ""))

    @property
    def image(self) -> str:
        return str(self.template["spec"]["containers"][0]["image"])

    @property
    def config(self) -> str:
        """The name of its ConfigMap; empty when it has none of ours."""
        return next(iter(configs_of(self.template)), "")

    @property
    def proven(self) -> str:
        return str(self._annotations.get(PROVEN, ""))

    @property
    def returned(self) -> bool:
        return self._annotations.get(RETURNED) == "true"

    @property
    def speed(self) -> dict[str, float]:
        found: dict[str, float] = json.loads(self._annotations.get(SPEED) or "{}")
        return found

    @property
    def ready(self) -> int:
        return int(self.found.get("status", {}).get("readyReplicas") or 0)

    @property
    def _annotations(self) -> Mapping[str, str]:
        return self.found["metadata"].get("annotations") or {}

    def served(self, settings: Mapping[str, Any]) -> Served:
        return Served(self.version, self.bundle_hash, self.proven, settings)


@dataclass(frozen=True)
class Revisions:
    """All that a Deployment remembers. `current` is that of its newest template, which needn't be what serves."""

    current: Revision | None
    every: Sequence[Revision]

    @classmethod
    def read(cls, cluster: Cluster, site: Site, deployment: Mapping[str, Any] | None) -> Revisions:
        if deployment is None:
            return cls(None, ())
        newest = current_set(cluster, site, deployment)
        every = tuple(Revision(each) for each in sets(cluster, site, deployment))
        return cls(Revision(newest) if newest else None, every)

    @property
    def proven(self) -> list[Revision]:
        """Those that have served and proved themselves, the last at the end."""
        return sorted((each for each in self.every if each.proven), key=lambda each: each.proven)

    @property
    def live(self) -> Revision | None:
        """What serves: proved last; before anything was proved, whatever has ready pods."""
        ready = sorted((each for each in self.every if each.ready), key=lambda each: each.ready)
        proven = [each for each in self.proven if each.ready or each == self.current]
        return next(reversed(proven or ready), None)

    def before(self, live: Revision | None) -> list[Revision]:
        """What served before `live`, the last at the end."""
        return [each for each in self.proven if live is None or each.name != live.name]

    def forgotten(self, configs: Sequence[str], kept: Mapping[str, Any]) -> list[str]:
        """Of these ConfigMaps' names those that nothing names any more: no ReplicaSet, nor the template `kept`."""
        named = {name for each in self.every for name in configs_of(each.template)} | set(configs_of(kept))
        return [name for name in configs if _CONFIG.fullmatch(name) and name not in named]


def configs_of(template: Mapping[str, Any]) -> list[str]:
    """The ConfigMaps that a template's containers take their environment from."""
    sources = [one for each in template["spec"]["containers"] for one in each.get("envFrom") or []]
    return [each["configMapRef"]["name"] for each in sources if "configMapRef" in each]
