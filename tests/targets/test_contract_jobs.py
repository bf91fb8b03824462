"""What every target's Jobs promises, with the real worker and the cheapest real work."""

from __future__ import annotations

from pathlib import Path

import pytest

from retailops.errors import UsageError
from retailops.ports import Job, Target
from retailops.progress import Silent
from retailops.retail import synth
from retailops.retail.synth import SynthOptions


@pytest.fixture
def etl(tmp_path: Path) -> Job:
    synth.write(tmp_path / "weeks", SynthOptions(baskets=100, weeks=2), Silent())
    return Job("etl", "k1", {"source": tmp_path / "weeks"}, {"memory_mb": 300, "threads": 1})


def test_a_job_leaves_its_output_and_a_result(target: Target, etl: Job) -> None:
    done = target.jobs.run(etl, Silent())
    assert not done.reused
    assert (done.folder / "manifest.json").is_file()
    assert done.result["rows"]["raw"] > 100


def test_the_same_key_is_not_run_again(target: Target, etl: Job) -> None:
    first = target.jobs.run(etl, Silent())
    again = target.jobs.run(etl, Silent())
    assert again.reused
    assert (again.folder, again.result) == (first.folder, first.result)


def test_a_failed_job_says_why_and_can_be_run_again(target: Target, etl: Job, tmp_path: Path) -> None:
    broken = min((tmp_path / "weeks").iterdir())
    whole = broken.read_bytes()
    broken.write_text("SHOP_WEEK\n200607\n")
    with pytest.raises(UsageError, match=broken.name) as caught:
        target.jobs.run(etl, Silent())
    assert caught.value.fix
    broken.write_bytes(whole)
    assert not target.jobs.run(etl, Silent()).reused
