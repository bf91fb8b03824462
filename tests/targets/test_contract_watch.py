"""What every target's Watch promises before anything was served."""

from __future__ import annotations

from retailops.ports import Target


def test_no_predictions_is_an_empty_stream(target: Target) -> None:
    assert list(target.watch.predictions(24)) == []
