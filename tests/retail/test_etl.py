"""The ETL as a whole: rows add up, order and cutting of the input don't matter, a run that died counts for nothing."""

from __future__ import annotations

import csv
import json
import random
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from tests.retail.transactions import HEADER, row, text, weeks, write

from retailops.errors import DataError, GateFailed, NotReady, TargetFailed
from retailops.progress import Silent
from retailops.retail import chunks, contract, etl, features
from retailops.retail.columns import COLUMNS, LABEL
from retailops.retail.dataset import Dataset

ANY = etl.EtlOptions(max_quarantined=1.0)
SILVER = ", ".join(field.name for field in contract.fields())


def run(source: Path, output: Path, options: etl.EtlOptions = ANY, *, labelled: bool = True) -> Dataset:
    return etl.run(source, output, options, Silent(), labelled=labelled)


def silver(dataset: Dataset) -> list[tuple[Any, ...]]:
    files = f"{dataset.silver}/**/*.parquet"
    return duckdb.sql(f"SELECT {SILVER} FROM read_parquet('{files}', hive_partitioning = true) ORDER BY ALL").fetchall()


def gold(dataset: Dataset) -> list[tuple[Any, ...]]:
    return duckdb.sql(f"FROM '{dataset.gold}/*.parquet'").fetchall()


def quarantine(folder: Path) -> list[dict[str, str]]:
    with (folder / "quarantine" / "rows.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_clean_rows_all_reach_silver_and_each_basket_reaches_gold(tmp_path: Path) -> None:
    dataset = run(write(tmp_path / "in.csv", weeks()), tmp_path / "out")
    assert dataset.rows == {"raw": 72, "silver": 72, "quarantined": 0, "duplicates": 0, "gold": 18}
    assert dataset.weeks == (200607, 200608, 200609)
    assert len(silver(dataset)) == 72
    keys = [(found[1], found[0]) for found in gold(dataset)]
    assert keys == sorted(keys) and len(keys) == 18
    assert Dataset.open(tmp_path / "out") == dataset


def test_the_manifest_tells_where_the_dataset_comes_from(tmp_path: Path) -> None:
    rows = [*weeks(), row(500, 1, SHOP_HOUR="99"), row(501, 1, **{LABEL: "XX"})]
    manifest = run(write(tmp_path / "in.csv", rows), tmp_path / "out").manifest
    (told,) = manifest["inputs"]
    assert told["name"] == "in.csv" and told["rows"] == 74 and len(told["sha256"]) == 64
    assert told["bytes"] == (tmp_path / "in.csv").stat().st_size
    assert manifest["reasons"] == {"shop_hour": 1}
    assert manifest["labels"] == {"MM": 18, "XX": 1} and manifest["unclassified"] == 1
    assert manifest["schema"]["silver"]["SPEND_PENCE"] == "BIGINT"
    assert manifest["schema"]["gold"]["basket_id"] == "int64"


def test_silver_is_partitioned_and_any_code_makes_a_safe_folder(tmp_path: Path) -> None:
    rows = [row(n, 1, STORE_REGION=region) for n, region in enumerate(["E01", "..", "A/B", "a=b", "Île"])]
    dataset = run(write(tmp_path / "in.csv", rows), tmp_path / "out")
    assert {found[-1] for found in silver(dataset)} == {"E01", "..", "A/B", "a=b", "Île"}
    assert (dataset.silver / "STORE_REGION=E01" / "BASKET_TYPE=Top Up").is_dir()
    assert all(len(path.relative_to(dataset.silver).parts) == 3 for path in dataset.silver.rglob("*.parquet"))


def test_gold_holds_the_feature_table_as_the_server_computes_it(tmp_path: Path) -> None:
    rows = [row(1, product, QUANTITY=product % 3 + 1, SPEND=f"{product % 4}.{product}5") for product in range(1, 9)]
    dataset = run(write(tmp_path / "in.csv", rows), tmp_path / "out")
    names = [found[0] for found in duckdb.sql(f"DESCRIBE FROM '{dataset.gold}/*.parquet'").fetchall()]
    found = dict(zip(names, gold(dataset)[0], strict=True))
    lines = [
        SimpleNamespace(**{name.lower(): value for name, value in zip(SILVER.split(", "), each, strict=True)})
        for each in silver(dataset)
    ]
    basket = SimpleNamespace(**vars(lines[0]), lines=lines)
    assert {each.name: each.online()(basket) for each in features.TABLE} == {
        each.name: found[each.name] for each in features.TABLE
    }


@pytest.mark.parametrize("cut", ["one file", "a file a week", "two files with every week", "rows in any order"])
def test_neither_the_order_nor_the_cutting_of_the_input_changes_the_rows(
    tmp_path: Path, cut: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 30)
    rows = [*weeks(), *weeks()[5:9], row(700, 1, SHOP_HOUR="x"), row(701, 1, week=200609, SHOP_WEEK="")]
    expected = run(write(tmp_path / "sorted.csv", rows[:72]), tmp_path / "expected")
    source = tmp_path / "in"
    if cut == "one file":
        write(source / "a.csv", rows)
    elif cut == "a file a week":
        for week in sorted({each["SHOP_WEEK"] for each in rows}):
            write(source / f"{week or 'none'}.csv", [each for each in rows if each["SHOP_WEEK"] == week])
    elif cut == "two files with every week":
        write(source / "a.csv", rows[::2])
        write(source / "b.csv", rows[1::2])
    else:
        random.Random(5).shuffle(rows)
        write(source / "a.csv", rows)
    dataset = run(source, tmp_path / "out")
    assert dataset.rows == {"raw": 78, "silver": 72, "quarantined": 2, "duplicates": 4, "gold": 18}
    assert silver(dataset) == silver(expected)
    assert gold(dataset) == gold(expected)


def test_a_basket_that_comes_back_in_a_later_chunk_is_refused_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 5)
    monkeypatch.setattr("retailops.retail.blocks.BLOCK", 1000)
    rows = [*weeks(), row(0, 9, week=200609)]
    dataset = run(write(tmp_path / "in.csv", rows), tmp_path / "out")
    assert [(each["line"], each["reason"]) for each in quarantine(tmp_path / "out")] == [("74", "basket_in_two_weeks")]
    assert dataset.rows["silver"] == 72


def test_the_same_rows_in_two_files_are_duplicates(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.csv", weeks())
    write(tmp_path / "in" / "b.csv", weeks())
    assert run(tmp_path / "in", tmp_path / "out").rows["duplicates"] == 72


def test_quarantine_tells_file_line_reason_and_the_raw_values(tmp_path: Path) -> None:
    write(tmp_path / "in" / "good.csv", weeks())
    path = write(tmp_path / "in" / "sub" / "bad.csv", [row(90, 1), row(91, 1, SHOP_HOUR=" 99 ", CUST_LIFESTAGE="FN")])
    with path.open("a") as stream:
        stream.write("200607,2006")
    dataset = run(tmp_path / "in", tmp_path / "out")
    bad, cut = quarantine(dataset.folder)
    assert (bad["file"], bad["line"], bad["reason"]) == ("sub/bad.csv", "3", "shop_hour")
    assert bad["SHOP_HOUR"] == " 99 " and bad["CUST_LIFESTAGE"] == "FN" and bad["SPEND"] == "1.15"
    assert (cut["file"], cut["line"], cut["reason"], cut["text"]) == ("sub/bad.csv", "4", "malformed", "200607,2006")
    assert dataset.rows == {"raw": 75, "silver": 73, "quarantined": 2, "duplicates": 0, "gold": 19}


def test_mended_quarantine_can_be_handed_in_again(tmp_path: Path) -> None:
    rows = [row(1, 1), row(2, 1, SHOP_HOUR="99"), row(2, 2, SHOP_HOUR="99")]
    first = run(write(tmp_path / "in" / "a.csv", rows), tmp_path / "out")
    assert first.rows["quarantined"] == 2
    mended = (first.quarantine / "rows.csv").read_text().replace(",99,", ",14,")
    (tmp_path / "in" / "mended.csv").write_text(mended)
    write(tmp_path / "in" / "a.csv", rows[:1])
    assert run(tmp_path / "in", tmp_path / "out").rows["silver"] == 3


def test_too_many_bad_rows_stop_the_run_and_stay_to_be_looked_at(tmp_path: Path) -> None:
    rows = [*weeks(), row(90, 1, SHOP_HOUR="99"), row(91, 1, QUANTITY="0")]
    source = write(tmp_path / "in.csv", rows)
    with pytest.raises(GateFailed) as caught:
        run(source, tmp_path / "out", etl.EtlOptions(max_quarantined=0.02))
    assert caught.value.code == 4
    assert "2 of 74 rows (2.70%)" in caught.value.what
    assert "1 shop_hour: SHOP_HOUR must be an hour from 0 to 23." in caught.value.what
    assert str(tmp_path / "out" / "quarantine") in caught.value.fix
    assert len(quarantine(tmp_path / "out")) == 2
    with pytest.raises(NotReady):
        Dataset.open(tmp_path / "out")
    assert run(source, tmp_path / "out", etl.EtlOptions(max_quarantined=0.03)).rows["silver"] == 72


def test_an_input_that_is_bad_throughout_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 10)
    monkeypatch.setattr("retailops.retail.blocks.BLOCK", 2000)
    monkeypatch.setattr(etl, "MANY", 50)
    rows = [{**each, "SHOP_HOUR": "99"} for each in weeks(baskets=100)]
    with pytest.raises(GateFailed) as caught:
        run(write(tmp_path / "in.csv", rows), tmp_path / "out", etl.EtlOptions())
    assert 50 < caught.value.details["quarantined"] < len(rows)
    assert len(quarantine(tmp_path / "out")) == caught.value.details["quarantined"]


def test_too_little_memory_is_told_with_the_setting_that_raises_it(tmp_path: Path) -> None:
    source = write(tmp_path / "in.csv", weeks(baskets=200))
    with pytest.raises(TargetFailed, match="1 MB is too little memory") as caught:
        run(source, tmp_path / "out", etl.EtlOptions(memory_mb=1))
    assert "etl.memory_mb" in caught.value.fix


def test_less_memory_gives_the_same_rows(tmp_path: Path) -> None:
    source = write(tmp_path / "in.csv", weeks(baskets=200))
    dataset = run(source, tmp_path / "out", etl.EtlOptions(memory_mb=80))
    assert silver(dataset) == silver(run(source, tmp_path / "expected"))


def test_a_rounded_basket_id_deep_in_a_file_refuses_it_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"in\.csv, line 74: BASKET_ID is '9\.94E\+14'"):
        run(write(tmp_path / "in.csv", [*weeks(), row(BASKET_ID="9.94E+14")]), tmp_path / "out")


def test_input_without_one_usable_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no usable row"):
        run(write(tmp_path / "in.csv", [row(SHOP_HOUR="99")]), tmp_path / "out")


class Dies(Silent):
    """A progress whose screen is pulled away after some chunks."""

    def advance(self, done: int) -> None:
        raise KeyboardInterrupt


def test_a_run_that_died_is_not_a_dataset_and_the_next_run_starts_clean(tmp_path: Path) -> None:
    source = write(tmp_path / "in.csv", weeks())
    expected = run(source, tmp_path / "expected")
    with pytest.raises(KeyboardInterrupt):
        etl.run(source, tmp_path / "out", ANY, Dies())
    with pytest.raises(NotReady):
        Dataset.open(tmp_path / "out")
    stale = tmp_path / "out" / "silver" / "STORE_REGION=E09" / "BASKET_TYPE=XX" / "part-000.parquet"
    stale.parent.mkdir(parents=True)
    shutil.copy(next(expected.silver.rglob("*.parquet")), stale)
    again = run(source, tmp_path / "out")
    assert silver(again) == silver(expected) and gold(again) == gold(expected)
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == [
        "gold",
        "manifest.json",
        "quarantine",
        "silver",
    ]


def test_rows_to_predict_may_come_without_the_label(tmp_path: Path) -> None:
    names = [name for name in COLUMNS if name != LABEL]
    path = tmp_path / "in.csv"
    path.write_text("\n".join([",".join(names), *(",".join(each[name] for name in names) for each in weeks())]))
    dataset = run(path, tmp_path / "out", labelled=False)
    assert dataset.rows["silver"] == 72 and not dataset.labelled
    assert dataset.manifest["labels"] == {}
    assert duckdb.sql(f"SELECT DISTINCT label FROM '{dataset.gold}/*.parquet'").fetchall() == [(None,)]


def test_the_version_is_that_of_the_contents_and_of_what_decides_the_result(tmp_path: Path) -> None:
    one = write(tmp_path / "one" / "a.csv", weeks())
    two = write(tmp_path / "two" / "b.csv", weeks())
    version = etl.version(one, ANY, True, Silent())
    assert len(version) == 16
    assert version == etl.version(two.parent, ANY, True, Silent()) == run(two, tmp_path / "out").version
    faster = etl.EtlOptions(max_quarantined=1.0, memory_mb=300, threads=1)
    assert version == etl.version(one, faster, True, Silent())
    assert version != etl.version(one, etl.EtlOptions(max_quarantined=0.5), True, Silent())
    assert version != etl.version(one, ANY, False, Silent())
    two.write_text(two.read_text().replace("E02", "E03", 1))
    assert version != etl.version(two, ANY, True, Silent())


def test_progress_ends_at_the_size_of_the_input(tmp_path: Path) -> None:
    class Seen(Silent):
        total = done = 0

        def stage(self, text: str, total: int | None = None, unit: str = "") -> None:
            self.total = total or 0

        def advance(self, done: int) -> None:
            self.done = done

    seen = Seen()
    etl.run(write(tmp_path / "in.csv", weeks()), tmp_path / "out", ANY, seen)
    assert seen.done == seen.total == (tmp_path / "in.csv").stat().st_size


def test_a_file_of_nothing_but_malformed_lines_reaches_quarantine_whole(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.csv", weeks())
    (tmp_path / "in" / "b.csv").write_text(HEADER + "\nx,y\nz\n")
    dataset = run(tmp_path / "in", tmp_path / "out")
    assert dataset.rows["quarantined"] == 2
    assert json.loads((dataset.folder / "manifest.json").read_text())["reasons"] == {"malformed": 2}


@pytest.mark.slow
@pytest.mark.real
def test_every_real_row_passes_the_contract(real_csv_folder: Path, tmp_path: Path) -> None:
    rows = sum(len(path.read_bytes().splitlines()) - 1 for path in real_csv_folder.glob("*.csv") if path.stat().st_size)
    found = run(real_csv_folder, tmp_path / "out", etl.EtlOptions(max_quarantined=0)).rows
    assert found["raw"] == found["silver"] == rows
    assert found["quarantined"] == found["duplicates"] == 0


def test_text_of_the_test_rows_is_what_the_loader_reads() -> None:
    assert text([row()]).count(",") == 2 * (len(COLUMNS) - 1)
