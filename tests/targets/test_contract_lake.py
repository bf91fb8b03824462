"""What every target's Lake promises: from a user's files to a dataset."""

from __future__ import annotations

from pathlib import Path

import pytest

from retailops.ports import Job, Raw, Target
from retailops.progress import Silent
from retailops.retail import synth
from retailops.retail.synth import SynthOptions


def etl(raw: Raw, key: str = "k1") -> Job:
    parameters = {"labelled": True, "max_quarantined": 0.01, "memory_mb": 300, "threads": 1}
    return Job("etl", key, {"source": raw.folder}, parameters)


@pytest.fixture
def weeks(tmp_path: Path) -> Path:
    folder = tmp_path / "weeks"
    synth.write(folder, SynthOptions(baskets=200, weeks=2), Silent())
    return folder


def test_the_same_contents_give_the_same_raw(target: Target, weeks: Path) -> None:
    first = target.lake.put(weeks, Silent())
    assert target.lake.put(weeks, Silent()) == first
    assert len(first.files) == 2
    assert first.bytes == sum(path.stat().st_size for path in weeks.iterdir())


def test_one_file_is_fine_too(target: Target, weeks: Path) -> None:
    one = min(weeks.iterdir())
    assert target.lake.put(one, Silent()).files == (one.name,)


def test_the_scratch_folder_is_there(target: Target) -> None:
    (target.lake.scratch() / "x").write_text("x")
    assert (target.lake.scratch() / "x").read_text() == "x"


def test_an_etl_job_becomes_a_dataset(target: Target, weeks: Path) -> None:
    assert target.lake.datasets() == []
    raw = target.lake.put(weeks, Silent())
    done = target.jobs.run(etl(raw), Silent())
    dataset = target.lake.publish(done.folder)
    assert dataset.version == done.result["dataset"]
    assert dataset.rows == done.result["rows"]
    if target.name == "local":  # elsewhere the rows stay where the job put them
        assert list(dataset.gold.rglob("*.parquet"))
    assert target.lake.datasets() == [dataset]


def test_after_publishing_the_job_counts_as_finished_and_publishing_again_changes_nothing(
    target: Target, weeks: Path
) -> None:
    raw = target.lake.put(weeks, Silent())
    dataset = target.lake.publish(target.jobs.run(etl(raw), Silent()).folder)
    again = target.jobs.run(etl(raw), Silent())
    assert again.reused
    assert target.lake.publish(again.folder) == dataset
    assert target.lake.datasets() == [dataset]


def test_the_same_dataset_from_another_job_stays_the_first(target: Target, weeks: Path) -> None:
    raw = target.lake.put(weeks, Silent())
    dataset = target.lake.publish(target.jobs.run(etl(raw), Silent()).folder)
    other = target.jobs.run(etl(raw, "k2"), Silent())
    assert not other.reused
    assert target.lake.publish(other.folder) == dataset
    assert target.lake.datasets() == [dataset]
    assert target.jobs.run(etl(raw, "k2"), Silent()).reused


def test_what_was_published_last_is_the_newest_even_when_it_was_known(target: Target, tmp_path: Path) -> None:
    done = []
    for seed in (1, 2):
        synth.write(tmp_path / str(seed), SynthOptions(baskets=200, weeks=2, seed=seed), Silent())
        raw = target.lake.put(tmp_path / str(seed), Silent())
        done.append(target.jobs.run(etl(raw, f"k{seed}"), Silent()))
        target.lake.publish(done[-1].folder)
    first = target.lake.publish(done[0].folder)
    assert [dataset.version for dataset in target.lake.datasets()] == [done[1].result["dataset"], first.version]
