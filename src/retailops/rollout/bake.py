"""Floor 3, rollout: a new version under real traffic, for a while: is it as good as it has to be?

What is judged is the difference of the pods' own counters between two moments, all pods together. Where there was too
little traffic to tell, that is said: it is neither good nor bad.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from retailops.config import Config
from retailops.retail.drift import class_psi
from retailops.retail.gates import Gate
from retailops.rollout.counters import Counts

ENOUGH = 50  # requests below which neither time nor errors are judged


@dataclass(frozen=True)
class Limits:
    """What of retail.yaml judges a live version: gates.p95_ms, and monitor's."""

    p95_ms: float
    max_error_rate: float
    max_psi: float
    min_predictions: int

    @classmethod
    def of(cls, config: Config) -> Limits:
        monitor = config.monitor
        return cls(config.gates.p95_ms, monitor.max_error_rate, monitor.max_psi, monitor.min_predictions)


@dataclass(frozen=True)
class Verdict:
    """`unjudged` says what couldn't be told, and why."""

    gates: Sequence[Gate]
    unjudged: Sequence[str] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def failures(self) -> list[Gate]:
        return [gate for gate in self.gates if not gate.ok]

    def as_dict(self) -> dict[str, Any]:
        gates = [gate.as_dict() for gate in self.gates]
        return {**self.figures, "gates": gates, "unjudged": list(self.unjudged)}


def judge(served: Counts, restarts: int, limits: Limits, reference: Mapping[str, Any], before: Counts) -> Verdict:
    """`served` and `restarts` are of the new version since it is live; `before` is what the old one had counted.

    A class mix that was as far from training with the old version is the customers' doing, so it isn't held against the
    new one.
    """
    gates = [Gate("restarts", restarts, 0, "at most")]
    unjudged: list[str] = []
    if served.requests >= ENOUGH:
        gates.append(Gate("5xx share", served.error_rate, limits.max_error_rate, "at most"))
    else:
        unjudged.append(f"errors: {served.requests} requests, {ENOUGH} are needed")
    if served.timed >= ENOUGH:
        gates.append(Gate("P95 ms", served.quantile_ms(0.95), limits.p95_ms, "at most"))
    else:
        unjudged.append(f"P95: {served.timed} requests to /predict, {ENOUGH} are needed")
    if served.predictions >= ENOUGH:
        lost = served.dropped / served.predictions
        gates.append(Gate("share not logged", lost, limits.max_error_rate, "at most"))
    if served.predictions >= limits.min_predictions:
        now, then = class_psi(reference, served.classes), _known(reference, before, limits)
        if now > limits.max_psi and then is not None and then > limits.max_psi:
            unjudged.append(f"class mix: PSI {now:.3g}, and {then:.3g} with the old version: traffic differs")
        else:
            gates.append(Gate("class mix PSI", now, limits.max_psi, "at most"))
    else:
        needed = f"{limits.min_predictions} are needed (monitor.min_predictions)"
        unjudged.append(f"class mix: {served.predictions} predictions, {needed}")
    figures = {"requests": served.requests, "predictions": served.predictions, "restarts": restarts}
    return Verdict(gates, unjudged, figures)


def _known(reference: Mapping[str, Any], before: Counts, limits: Limits) -> float | None:
    return class_psi(reference, before.classes) if before.predictions >= limits.min_predictions else None
