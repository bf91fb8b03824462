"""Floor 3, rollout: looking at a new version for a while after all its pods are ready (deploy.kubernetes.bake_s)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from retailops.config import Config
from retailops.errors import GateFailed
from retailops.progress import Progress
from retailops.rollout.bake import Limits, Verdict, judge
from retailops.rollout.counters import Counts, total
from retailops.rollout.pod_proof import PodClient
from retailops.rollout.pods import is_ready, name_of, restarts

Pods = Callable[[], list[dict[str, Any]]]
Asked = Callable[[str], PodClient]


@dataclass
class Tally:
    """What pods have counted since each was first looked at. One that is gone keeps what it had."""

    first: dict[str, Counts] = field(default_factory=dict)
    last: dict[str, Counts] = field(default_factory=dict)
    born: dict[str, int] = field(default_factory=dict)  # restarts by then
    restarted: dict[str, int] = field(default_factory=dict)

    def look(self, pods: Iterable[Mapping[str, Any]], ask: Asked) -> None:
        for pod in pods:
            name = name_of(pod)
            self.restarted[name] = restarts(pod) - self.born.setdefault(name, restarts(pod))
            if is_ready(pod):
                with suppress(OSError):  # it may just be leaving; one that crashes is seen by its restarts
                    now = ask(name).counts()
                    self.first.setdefault(name, now)
                    self.last[name] = now

    @property
    def served(self) -> Counts:
        return total(self.last[name] - self.first[name] for name in self.first)

    @property
    def restarts(self) -> int:
        return sum(self.restarted.values())


def counted(pods: Iterable[str], ask: Asked) -> Counts:
    """What these pods have counted since they started; those that don't say are left out."""
    found = []
    for name in pods:
        with suppress(OSError):
            found.append(ask(name).counts())
    return total(found)


@dataclass(frozen=True)
class Baking:
    """`before` is what the old version's pods had counted."""

    pods: Pods
    ask: Asked
    config: Config
    reference: Mapping[str, Any]
    before: Counts
    look_s: float
    progress: Progress

    def watch(self, version: int) -> dict[str, Any]:
        """GateFailed as soon as it is worse than the gates allow; what couldn't be judged is told, not passed over."""
        seconds = self.config.deploy.kubernetes.bake_s
        if not seconds:
            return {"seconds": 0}
        self.progress.stage(f"watching version {version} under its traffic", seconds, "s")
        tally, began = Tally(), time.monotonic()
        while True:
            passed = time.monotonic() - began
            tally.look(self.pods(), self.ask)
            verdict = judge(tally.served, tally.restarts, Limits.of(self.config), self.reference, self.before)
            self.progress.advance(min(seconds, int(passed)), f"{verdict.figures['requests']:,} requests")
            if verdict.failures:
                raise _worse(version, verdict, passed)
            if passed >= seconds:
                break
            time.sleep(min(self.look_s, seconds - passed))
        for each in verdict.unjudged:
            self.progress.note(f"not judged: {each}")
        return {"seconds": seconds, **verdict.as_dict()}


def _worse(version: int, verdict: Verdict, passed: float) -> GateFailed:
    told = "; ".join(str(gate) for gate in verdict.failures)
    return GateFailed(
        f"Version {version} was live for {passed:.0f} s and isn't good enough: {told}.",
        "Look at: retailops logs, retailops monitor.",
        details={"bake": verdict.as_dict()},
    )
