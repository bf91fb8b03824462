"""What every target's Models promises."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from retailops.ports import Run, Target
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
