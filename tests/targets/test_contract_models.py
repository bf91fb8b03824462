"""What every target's Models promises."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from retailops.errors import UsageError
from retailops.ports import PENDING, Approval, Run, Target
from retailops.retail.bundle import Bundle

MakeRun = Callable[..., Run]
pytestmark = pytest.mark.usefixtures("prepared")


def test_nothing_recorded_is_an_empty_list(target: Target) -> None:
    assert target.models.runs() == []
    assert target.models.versions() == []


def test_what_was_recorded_comes_back_oldest_first(target: Target, make_run: MakeRun) -> None:
    made = [make_run(b"one"), make_run(b"two", dataset="d2"), make_run(b"three", algorithm="decision_tree")]
    kept = [target.models.record(run) for run in made]
    assert target.models.runs() == kept
    for before, after in zip(made, kept, strict=True):
        assert dataclasses.replace(after, bundle=before.bundle) == before
        assert Bundle.open(after.bundle).hash == before.bundle_hash


def test_the_same_bundle_of_the_same_dataset_is_one_run(target: Target, make_run: MakeRun) -> None:
    first = target.models.record(make_run())
    again = dataclasses.replace(make_run(), id="another-id", created="2027-01-01T00:00:00+00:00")
    assert target.models.record(again) == first
    assert target.models.record(first) == first
    assert target.models.runs() == [first]


def test_versions_count_up_and_a_bundle_keeps_its_own(target: Target, make_run: MakeRun) -> None:
    one = target.models.add(target.models.record(make_run(b"one")))
    two = target.models.add(make_run(b"two"))
    assert (one.version, two.version) == (1, 2)
    assert target.models.add(make_run(b"one")) == one
    assert target.models.versions() == [one, two]
    assert len(target.models.runs()) == 2


def test_a_run_keeps_what_tuned_it(target: Target, make_run: MakeRun) -> None:
    target.models.record(dataclasses.replace(make_run(), tuned_by="0123456789abcdef"))
    target.models.record(make_run(b"by hand"))
    assert [run.tuned_by for run in target.models.runs()] == ["0123456789abcdef", ""]


def test_a_version_is_pending_until_someone_decides_and_may_be_decided_anew(target: Target, make_run: MakeRun) -> None:
    first, second = target.models.add(make_run(b"one")), target.models.add(make_run(b"two"))
    assert first.approval == second.approval == PENDING
    no = Approval("rejected", "ann", "2026-01-02T03:04:05+00:00", "too few weeks")
    assert target.models.decide(2, no) == dataclasses.replace(second, approval=no)
    assert [model.approval for model in target.models.versions()] == [PENDING, no]
    yes = Approval("approved", "bob", "2026-01-03T03:04:05+00:00")
    target.models.decide(2, yes)
    assert target.models.versions()[1].approval == yes
    assert target.models.add(make_run(b"two")).approval == yes, "registered again, it is still the same version"


def test_the_same_decision_again_keeps_the_first(target: Target, make_run: MakeRun) -> None:
    target.models.add(make_run())
    first = target.models.decide(1, Approval("approved", "ann", "2026-01-02T03:04:05+00:00"))
    assert target.models.decide(1, Approval("approved", "bob", "2027-01-01T00:00:00+00:00")) == first
    assert target.models.decide(1, Approval("approved", "bob", "2027-01-01T00:00:00+00:00", "looked at")) != first


def test_a_version_that_is_not_there_can_not_be_decided_about(target: Target, make_run: MakeRun) -> None:
    target.models.add(make_run())
    with pytest.raises(UsageError, match="no version 2"):
        target.models.decide(2, Approval("approved", "ann", "2026-01-02T03:04:05+00:00"))
