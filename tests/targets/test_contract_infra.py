"""What every target's Infra promises: up, down, and both again."""

from __future__ import annotations

from collections.abc import Callable

from retailops.ports import Run, Target
from retailops.progress import Silent


def test_up_makes_what_was_announced_and_twice_is_harmless(target: Target) -> None:
    announced = target.infra.changes()
    assert announced
    assert {change.action for change in announced} == {"create"}
    target.infra.apply(Silent())
    assert target.infra.changes() == []
    target.infra.apply(Silent())


def test_down_leaves_nothing_and_twice_is_harmless(target: Target, make_run: Callable[..., Run]) -> None:
    target.infra.apply(Silent())
    target.models.add(make_run())
    assert {change.action for change in target.infra.removals()} == {"delete"}
    assert target.infra.left(), "before the removal the audit sees what stands"
    target.infra.remove(Silent())
    assert target.infra.left() == []
    assert target.infra.removals() == []
    target.infra.remove(Silent())


def test_nothing_there_is_nothing_to_remove(target: Target) -> None:
    assert target.infra.removals() == []
    target.infra.remove(Silent())
    assert target.infra.left() == []


def test_after_down_up_starts_anew(target: Target, make_run: Callable[..., Run]) -> None:
    target.models.add(make_run())
    target.infra.remove(Silent())
    assert target.models.versions() == []
    target.infra.apply(Silent())
    assert target.models.add(make_run(b"another")).version == 1
