"""What every target's Jobs promises, with the real worker and the cheapest real work."""

from __future__ import annotations

from pathlib import Path

import pytest

from retailops.errors import GateFailed
from retailops.ports import Job, Target
from retailops.progress import Silent
from retailops.retail import synth
from retailops.retail.synth import SynthOptions


@pytest.fixture
def weeks(tmp_path: Path) -> Path:
    synth.write(tmp_path / "weeks", SynthOptions(baskets=100, weeks=2), Silent())
    return tmp_path / "weeks"


def etl(target: Target, weeks: Path) -> Job:
    source = target.lake.put(weeks, Silent()).folder
    return Job("etl", "k1", {"source": source}, {"memory_mb": 300, "threads": 1})


def test_a_job_leaves_its_output_and_a_result(target: Target, weeks: Path) -> None:
    done = target.jobs.run(etl(target, weeks), Silent())
    assert not done.reused
    assert (done.folder / "manifest.json").is_file()
    assert done.result["rows"]["raw"] > 100


def test_the_same_key_is_not_run_again(target: Target, weeks: Path) -> None:
    first = target.jobs.run(etl(target, weeks), Silent())
    again = target.jobs.run(etl(target, weeks), Silent())
    assert again.reused
    assert (again.folder, again.result) == (first.folder, first.result)


def test_a_failed_job_says_why_and_can_be_run_again(target: Target, weeks: Path) -> None:
    broken = min(weeks.iterdir())
    whole = broken.read_text()
    header, *rows = whole.splitlines()
    broken.write_text("\n".join([header, *("nonsense" + row for row in rows)]) + "\n")
    job = etl(target, weeks)
    with pytest.raises(GateFailed, match="break the data contract") as caught:
        target.jobs.run(job, Silent())
    assert "rows.csv" in caught.value.fix and caught.value.details["quarantined"] == len(rows)
    broken.write_text(whole)
    assert not target.jobs.run(etl(target, weeks), Silent()).reused
