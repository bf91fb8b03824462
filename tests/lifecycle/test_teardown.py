"""teardown's story: when it is due, what is told of what stays, and which failure that is. Played targets, no cloud."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from retailops import config, targets
from retailops.errors import TargetFailed
from retailops.lifecycle import teardown
from retailops.ports import NOTHING, Change, Standing, Target
from retailops.progress import SILENT, Progress, Silent

QUIET = Silent()
GONE = Change("delete", "NAT gateway", "nat-1", monthly_usd=43.07)
LEFT = Change("left", "EBS volume", "vol-1", "100 GB", 9.6, fix="aws ec2 delete-volume --volume-id vol-1")
UNPRICED = Change("left", "unknown", "table/x", "price unknown", priced=False)
KEPT = Change("kept", "KMS key", "k", monthly_usd=1.0)


@dataclass
class Played:
    """Infra and removal of a target that says what a test wants."""

    expires: datetime | None = None
    found: Sequence[Change] = ()
    removed: list[AbstractSet[str]] = field(default_factory=list)

    def standing(self, progress: Progress = SILENT, *, drift: bool = True) -> Standing:
        return Standing(1, expires=self.expires)

    def removals(self, keep: AbstractSet[str] = NOTHING, progress: Progress = SILENT) -> list[Change]:
        return [GONE]

    def remove(self, progress: Progress, keep: AbstractSet[str] = NOTHING) -> None:
        self.removed.append(keep)

    def left(self, keep: AbstractSet[str] = NOTHING, progress: Progress = SILENT) -> list[Change]:
        return list(self.found)


def target(tmp_path: Path, played: Played) -> Target:
    path = tmp_path / "retail.yaml"
    path.write_text("version: 1\n")
    loaded = config.load(path, targets=targets.settings(), algorithms=["xgboost"], environ={})
    parts: dict[str, Any] = {"infra": played, "removal": played}
    return replace(targets.open_target(loaded), **parts)


@pytest.mark.parametrize("hours", [8, None])
def test_what_isn_t_over_yet_is_spared_and_says_until_when(tmp_path: Path, hours: int | None) -> None:
    expires = datetime.now(UTC) + timedelta(hours=hours) if hours else None
    spared = teardown.spared(target(tmp_path, Played(expires)), QUIET)
    assert spared is not None and spared.failed is None
    assert spared.result["expires"] == (expires.isoformat() if expires else None)
    assert spared.result["removed"] == 0 and spared.result["left"] == []


def test_what_is_over_is_due(tmp_path: Path) -> None:
    assert teardown.spared(target(tmp_path, Played(datetime.now(UTC) - timedelta(seconds=1))), QUIET) is None


def test_what_is_left_fails_with_its_price_and_the_command(tmp_path: Path) -> None:
    played = Played(found=[LEFT, UNPRICED, KEPT])
    done = teardown.teardown(target(tmp_path, played), QUIET, frozenset({"data"}))
    assert played.removed == [{"data"}]
    assert isinstance(done.failed, TargetFailed) and done.failed.code == 5
    assert done.failed.what == "2 things are left, $9.60 a month: EBS volume vol-1, unknown table/x."
    assert [row["monthly_usd"] for row in done.result["left"]] == [9.6, None], "unknown is never nothing"
    assert done.result["left"][0]["fix"] == LEFT.fix
    assert done.result["left_monthly_usd"] == 9.6
    assert done.result["kept_monthly_usd"] == 1.0 and len(done.result["kept"]) == 1


def test_what_is_kept_on_purpose_is_no_failure(tmp_path: Path) -> None:
    done = teardown.teardown(target(tmp_path, Played(found=[KEPT])), QUIET, frozenset({"data"}))
    assert done.failed is None and done.result["left"] == []


def test_many_things_that_are_left_are_counted_and_not_all_named(tmp_path: Path) -> None:
    many = [replace(LEFT, name=f"vol-{number}") for number in range(12)]
    done = teardown.teardown(target(tmp_path, Played(found=many)), QUIET)
    assert done.failed is not None
    assert done.failed.what.startswith("12 things are left, $115.20 a month") and "and 7 more" in done.failed.what
    assert len(done.result["left"]) == 12
