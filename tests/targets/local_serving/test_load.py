"""Visitors who ask all the time don't notice a deploy."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from retailops.errors import TargetFailed
from retailops.progress import Silent
from retailops.targets.local import answers
from retailops.targets.local.endpoint import Record


@pytest.mark.slow
def test_no_request_fails_over_ten_swaps_under_load(place: Any) -> None:
    place.serving().roll_out(place.model(1), Silent())
    with place.visitors() as visitors:
        for version in range(2, 12):
            place.serving().roll_out(place.model(version), Silent())
        seen = len(visitors.versions)
        deadline = time.monotonic() + 30
        while len(visitors.versions) < seen + 100 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert visitors.failed == []
    assert set(visitors.versions) == set(range(1, 12))
    assert visitors.versions[-1] == 11


@pytest.mark.slow
def test_no_request_fails_while_deploys_fail(place: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place.serving().roll_out(place.model(1), Silent())
    broken = place.corrupted(tmp_path)
    give_up = re.compile("gives up")

    def fail(record: Record) -> None:
        raise TargetFailed(f"version {record.version} gives up", "nothing to do")

    with place.visitors() as visitors:
        with pytest.raises(TargetFailed):
            place.serving().roll_out(place.model(2, broken), Silent())
        monkeypatch.setattr(answers, "require_version", fail)
        for version in (3, 4):
            with pytest.raises(TargetFailed, match=give_up):
                place.serving().roll_out(place.model(version), Silent())
    assert visitors.failed == []
    assert visitors.versions[-1] == 1
