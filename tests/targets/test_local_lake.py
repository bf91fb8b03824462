"""The raw zone's links and the published datasets on disk."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.retail.transactions import row, write

from retailops.errors import DataError, NotReady
from retailops.progress import Silent
from retailops.retail import etl, synth
from retailops.retail.synth import SynthOptions
from retailops.targets.local.lake import LocalLake
from retailops.targets.local.workspace import Workspace


@pytest.fixture
def lake(workspace: Workspace) -> LocalLake:
    return LocalLake(workspace)


@pytest.fixture
def weeks(tmp_path: Path) -> Path:
    folder = tmp_path / "weeks"
    synth.write(folder, SynthOptions(baskets=120, weeks=2), Silent())
    return folder


def dataset_folder(folder: Path, version: str, note: str = "") -> Path:
    """What an ETL job would leave, as far as publishing looks at it."""
    (folder / "gold").mkdir(parents=True)
    (folder / "gold" / "part.parquet").write_text(note)
    manifest = {"version": version, "rows": {"raw": 1}, "weeks": [200607], "labelled": True}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_the_raw_zone_links_to_the_user_s_files_and_copies_nothing(lake: LocalLake, weeks: Path) -> None:
    raw = lake.put(weeks, Silent())
    originals = sorted(weeks.glob("*.csv"))
    assert list(raw.files) == [path.name for path in originals]
    assert raw.bytes == sum(path.stat().st_size for path in originals)
    for path in originals:
        assert (raw.folder / path.name).is_symlink()
        assert (raw.folder / path.name).resolve() == path
    listing = json.loads((raw.folder / "files.json").read_text())
    assert {len(file["sha256"]) for file in listing["files"]} == {64}


def test_the_key_is_of_contents_not_of_names_or_places(lake: LocalLake, weeks: Path, tmp_path: Path) -> None:
    first = lake.put(weeks, Silent())
    moved = tmp_path / "elsewhere"
    weeks.rename(moved)
    for path in moved.glob("*.csv"):
        path.rename(path.with_name(f"renamed_{path.name}"))
    second = lake.put(moved, Silent())
    assert second.key == first.key
    assert all(name.startswith("renamed_") for name in second.files)
    assert all((second.folder / name).resolve().parent == moved for name in second.files), (
        "links follow the latest place"
    )
    assert sorted(entry.name for entry in second.folder.iterdir()) == ["files.json", *sorted(second.files)]


def test_files_of_one_name_in_two_folders_stay_apart(lake: LocalLake, weeks: Path) -> None:
    one, two = sorted(weeks.glob("*.csv"))
    for number, path in enumerate((one, two), start=1):
        (weeks / f"part{number}").mkdir()
        path.rename(weeks / f"part{number}" / "transactions.csv")
    raw = lake.put(weeks, Silent())
    assert sorted(raw.files) == ["part1/transactions.csv", "part2/transactions.csv"]
    assert (raw.folder / "part2/transactions.csv").resolve() == weeks / "part2" / "transactions.csv"


def test_a_changed_byte_is_another_key(lake: LocalLake, weeks: Path) -> None:
    first = lake.put(weeks, Silent())
    path = next(weeks.glob("*.csv"))
    text = path.read_bytes()
    path.write_bytes(text[:-2] + bytes([text[-2] ^ 1]) + text[-1:])
    assert lake.put(weeks, Silent()).key != first.key


def test_what_was_hashed_before_is_not_read_again(lake: LocalLake, weeks: Path, watcher: Any) -> None:
    for path in weeks.glob("*.csv"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    first = lake.put(weeks, Silent())
    one = min(weeks.glob("*.csv"))
    identity = one.stat()
    one.write_bytes(bytes(identity.st_size).replace(b"\0", b"x"))  # a change that leaves no trace but in the bytes
    header = (weeks / max(first.files)).read_bytes().splitlines(keepends=True)[0:2]
    with one.open("r+b") as file:
        file.writelines(header)
    os.utime(one, ns=(identity.st_atime_ns, identity.st_mtime_ns))
    assert lake.put(weeks, watcher).key == first.key
    advances = [what for kind, what in watcher.told if kind == "advance"]
    assert advances[-1] == first.bytes, "progress still ends at the total"


def test_a_file_changed_a_moment_ago_is_read_again(lake: LocalLake, weeks: Path) -> None:
    lake.put(weeks, Silent())
    assert not (lake.scratch().parent / "hashes.json").exists()


def test_links_that_were_lost_are_put_back(lake: LocalLake, weeks: Path) -> None:
    raw = lake.put(weeks, Silent())
    (raw.folder / raw.files[0]).unlink()
    lake.put(weeks, Silent())
    assert (raw.folder / raw.files[0]).is_file()


def test_a_damaged_cache_of_hashes_is_no_obstacle(lake: LocalLake, weeks: Path) -> None:
    first = lake.put(weeks, Silent())
    (lake.scratch().parent / "hashes.json").write_text("[1, 2")
    assert lake.put(weeks, Silent()) == first


def test_nothing_is_made_for_a_path_that_does_not_exist(lake: LocalLake, tmp_path: Path, workspace: Workspace) -> None:
    with pytest.raises(DataError, match="nowhere"):
        lake.put(tmp_path / "nowhere", Silent())
    assert not workspace.folder.exists()


def test_publishing_leaves_a_link_behind(lake: LocalLake, tmp_path: Path, workspace: Workspace) -> None:
    job = dataset_folder(workspace.folder / "jobs" / "etl-1" / "output", "v1")
    workspace.folder.joinpath("workspace.json").write_text('{"project": "retail-demo"}')
    dataset = lake.publish(job)
    assert dataset.folder == workspace.folder / "lake" / "datasets" / "v1"
    assert job.resolve() == dataset.folder
    assert not job.readlink().is_absolute(), "the workspace can be moved"
    assert lake.publish(job) == dataset


def test_the_first_of_two_equal_datasets_stays(lake: LocalLake, workspace: Workspace) -> None:
    workspace.claim()
    first = dataset_folder(workspace.folder / "jobs" / "etl-1" / "output", "v1", "first")
    second = dataset_folder(workspace.folder / "jobs" / "etl-2" / "output", "v1", "second")
    lake.publish(first)
    dataset = lake.publish(second)
    assert (dataset.gold / "part.parquet").read_text() == "first"
    assert second.resolve() == dataset.folder


def test_a_removal_cut_short_is_replaced(lake: LocalLake, workspace: Workspace) -> None:
    workspace.claim()
    (workspace.folder / "lake" / "datasets" / "v1" / "gold").mkdir(parents=True)
    assert lake.datasets() == []
    lake.publish(dataset_folder(workspace.folder / "jobs" / "etl-1" / "output", "v1", "new"))
    assert [(dataset.gold / "part.parquet").read_text() for dataset in lake.datasets()] == ["new"]


def test_datasets_come_in_the_order_of_their_publication(lake: LocalLake, workspace: Workspace) -> None:
    workspace.claim()
    for number, version in enumerate(("zz", "aa", "mm")):
        lake.publish(dataset_folder(workspace.folder / "jobs" / f"etl-{number}" / "output", version))
    (workspace.folder / "lake" / "datasets" / "mm" / "published.json").write_text("damaged")
    assert [dataset.version for dataset in lake.datasets()] == ["zz", "aa", "mm"]


def test_questions_go_to_the_newest_dataset_with_as_many_rows_as_wanted(lake: LocalLake, tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="no dataset"):
        lake.ask("SELECT 1", 1, Silent())
    for week in (200607, 200608):
        source = write(tmp_path / f"{week}.csv", [row(number, 1, week) for number in range(week - 200604)])
        newest = lake.publish(etl.run(source, tmp_path / str(week), etl.EtlOptions(), Silent()).folder)
    told = lake.ask("SELECT shop_week, basket_id FROM gold ORDER BY 2", 3, Silent())
    assert told.columns == ("shop_week", "basket_id") and told.dataset == newest.version
    assert [each[0] for each in told.rows] == [200608] * 3 and told.cut and told.usd is None
    assert not lake.ask("SELECT * FROM gold", 4, Silent()).cut
