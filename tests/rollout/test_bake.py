"""What servers count of themselves, and what is made of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from retailops.retail import drift
from retailops.rollout.bake import ENOUGH, judge
from retailops.rollout.counters import Counts, total
from retailops.serving.metrics import Metrics

REFERENCE = drift.reference(np.zeros((9000, 1)), ["a"], np.repeat([0, 1, 2], 3000))
LIMITS = SimpleNamespace(p95_ms=200.0, max_error_rate=0.01, max_psi=0.25, min_predictions=200)
EVEN = {"LA": 100, "MM": 100, "UM": 100}


def metrics(seconds: float = 0.004, errors: int = 0) -> Metrics:
    """A server's real counters after 300 requests."""
    found = Metrics({"version": "1"})
    for label in EVEN:
        for _ in range(100):
            found.route("/predict").answered(200, seconds)
            found.predicted(label, 1.0)
    for _ in range(errors):
        found.route("/predict").answered(500, seconds)
    found.route("/predict/batch").answered(200, 1.0)
    found.route("/model").answered(404, 1.0)
    return found


def test_a_server_s_own_page_is_read_as_it_was_counted() -> None:
    found = Counts.read(metrics(errors=3).text())
    assert found.statuses == {200: 301, 500: 3} and found.classes == EVEN and found.dropped == 0
    assert found.timed == 303 and found.seconds == pytest.approx(303 * 0.004)
    assert found.error_rate == pytest.approx(3 / 304)
    assert 2.5 < found.quantile_ms(0.95) <= 5.0, "inside the bucket from 2.5 to 5 ms"


def test_differences_and_sums_are_those_of_the_servers() -> None:
    once, server = Counts.read(metrics().text()), metrics()
    for _ in range(40):
        server.route("/predict").answered(200, 0.15)
    more = Counts.read(server.text()) - once
    assert (more.requests, more.timed, more.predictions) == (40, 40, 0)
    assert 100 < more.quantile_ms(0.5) <= 200
    assert total([once, more]).requests == once.requests + 40
    assert total([]) == Counts()


def test_a_quantile_beyond_the_last_bound_is_that_bound_and_of_nothing_is_nothing() -> None:
    server = Metrics({})
    server.route("/predict").answered(200, 60.0)
    assert Counts.read(server.text()).quantile_ms(0.95) == 5000
    assert Counts().quantile_ms(0.95) == 0


def failures(served: Counts, restarts: int = 0, before: Counts | None = None) -> list[str]:
    return [gate.name for gate in judge(served, restarts, LIMITS, REFERENCE, before or Counts()).failures]


def test_a_sound_version_passes_every_gate_and_nothing_is_left_unjudged() -> None:
    verdict = judge(Counts.read(metrics().text()), 0, LIMITS, REFERENCE, Counts())
    assert not verdict.failures and not verdict.unjudged
    assert [gate.name for gate in verdict.gates] == [
        "restarts", "5xx share", "P95 ms", "share not logged", "class mix PSI",
    ]  # fmt: skip


def worse(**change: Any) -> Counts:
    found = Counts.read(metrics().text())
    return Counts(**{**vars(found), **change})


@pytest.mark.parametrize(
    ("served", "restarts", "fails"),
    [
        (worse(), 1, "restarts"),
        (worse(statuses={200: 300, 500: 4}), 0, "5xx share"),
        (worse(buckets={0.2: 200, 0.5: 100}), 0, "P95 ms"),
        (worse(dropped=9), 0, "share not logged"),
        (worse(classes={"LA": 280, "MM": 10, "UM": 10}), 0, "class mix PSI"),
    ],
)
def test_each_gate_catches_its_own(served: Counts, restarts: int, fails: str) -> None:
    assert failures(served, restarts) == [fails]


def test_too_little_traffic_is_said_and_isn_t_success() -> None:
    few = Counts({200: ENOUGH - 1}, {0.5: ENOUGH - 1}, 1.0, {"LA": ENOUGH - 1})
    verdict = judge(few, 0, LIMITS, REFERENCE, Counts())
    assert [gate.name for gate in verdict.gates] == ["restarts"]
    assert [each.partition(":")[0] for each in verdict.unjudged] == ["errors", "P95", "class mix"]
    assert "monitor.min_predictions" in verdict.unjudged[-1]
    assert verdict.as_dict()["unjudged"] == list(verdict.unjudged)


def test_a_mix_that_was_as_odd_with_the_old_version_is_the_customers_doing() -> None:
    odd = {"LA": 280, "MM": 10, "UM": 10}
    assert failures(worse(classes=odd), before=worse(classes=odd)) == []
    verdict = judge(worse(classes=odd), 0, LIMITS, REFERENCE, worse(classes=odd))
    assert "traffic differs" in " ".join(verdict.unjudged)
    assert failures(worse(classes=odd), before=worse()) == ["class mix PSI"]


def test_the_classes_index_is_that_of_the_whole_measure() -> None:
    classes = np.repeat([0, 1, 2], [120, 60, 20])
    whole = drift.psi(REFERENCE, np.zeros((200, 1)), classes)[drift.PREDICTIONS]
    assert drift.class_psi(REFERENCE, {"LA": 120, "MM": 60, "UM": 20}) == pytest.approx(whole)
    assert drift.class_psi(REFERENCE, {}) == 0
