"""Feature records: what was known of a store, customer or product, and since when; nothing of its own day or later."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.conftest import Trained
from tests.retail.transactions import row, write

from retailops.progress import Silent
from retailops.retail import bundle as bundles
from retailops.retail import etl, records
from retailops.retail.bundle import Bundle
from retailops.retail.dataset import Dataset
from retailops.retail.feature_groups import EVENT_TIME, GROUPS, OF_DATASETS
from retailops.targets.aws.offline import RECORD, VERSION

ROOT = Path(__file__).parents[2]
TERRAFORM = ROOT / "templates" / "aws" / "infra" / "learning.tf"


def of(folder: Path, rows: list[dict[str, str]]) -> Path:
    """The folder of the records that come of these rows."""
    return records_of(etl.run(write(folder / "in.csv", rows), folder / "out", etl.EtlOptions(), Silent()), folder)


def records_of(dataset: Dataset, folder: Path) -> Path:
    output = folder / "records"
    output.mkdir()
    parameters = {"threads": 1, "memory_mb": 300}
    told = records.job({"dataset": dataset.folder}, output, parameters, Silent())["records"]
    assert told == {path.stem: len(read(path)) for path in output.iterdir()}
    return output


def read(path: Path, order: str = "ALL") -> list[tuple[Any, ...]]:
    return duckdb.sql(f"FROM '{path}' ORDER BY {order}").fetchall()


def end(day: int) -> datetime:
    """The last second of a day of April 2006."""
    return datetime.fromisoformat(f"2006-04-{day:02d}T23:59:59")


def test_a_customer_s_record_counts_each_day_once_it_is_over(tmp_path: Path) -> None:
    rows = [
        row(1, 1, CUST_LIFESTAGE="YA"),
        row(1, 2, CUST_LIFESTAGE="YA"),
        row(2, 3, CUST_LIFESTAGE="YA", SHOP_HOUR="20"),  # the same day, later
        row(3, 1, SHOP_DATE=20060411, SHOP_WEEKDAY=3, CUST_LIFESTAGE=""),  # unknown that day: what was known stays
        row(4, 1, week=200609, CUST_LIFESTAGE="OF"),
        row(5, 9, CUST_CODE="", CUST_PRICE_SENSITIVITY="", CUST_LIFESTAGE=""),  # nobody
        row(6, 5, CUST_CODE="CUST0000000007", CUST_LIFESTAGE=""),
    ]
    made = of(tmp_path, rows)
    assert sorted(path.name for path in made.iterdir()) == ["customer.parquet", "store.parquet"]
    assert read(made / "customer.parquet") == [
        ("CUST0000000007", end(10), 1, None, 515),
        ("CUST0000000042", end(10), 2, "YA", 115 + 215 + 315),
        ("CUST0000000042", end(11), 3, "YA", 115 + 215 + 315 + 115),
        ("CUST0000000042", end(24), 4, "OF", 115 + 215 + 315 + 115 + 115),
    ]


def test_a_store_has_a_record_for_its_first_day_and_for_each_change(tmp_path: Path) -> None:
    days = [(10, 2), (11, 3), (12, 4), (13, 5)]
    formats = ["MS", "MS", "LS", "MS"]
    rows = [
        row(number, 1, SHOP_DATE=20060400 + day, SHOP_WEEKDAY=weekday, STORE_FORMAT=format_)
        for number, ((day, weekday), format_) in enumerate(zip(days, formats, strict=True))
    ]
    assert read(of(tmp_path, rows) / "store.parquet") == [
        ("STORE00001", end(10), "MS", "E02"),
        ("STORE00001", end(12), "LS", "E02"),
        ("STORE00001", end(13), "MS", "E02"),
    ]


def test_the_same_rows_in_another_order_give_the_same_records(tmp_path: Path) -> None:
    rows = [row(basket, product) for basket in range(40) for product in range(1, 4)]
    first, second = of(tmp_path / "a", rows), of(tmp_path / "b", rows[::-1])
    for group in OF_DATASETS:
        name = f"{group.name}.parquet"
        assert read(first / name, EVENT_TIME) == read(second / name, EVENT_TIME)


def test_every_customer_record_agrees_with_a_count_in_python(small_dataset: Dataset, tmp_path: Path) -> None:
    compare(small_dataset, records_of(small_dataset, tmp_path))


@pytest.mark.real
@pytest.mark.slow
def test_every_customer_record_of_the_real_rows_agrees_with_pandas(real_csv_folder: Path, tmp_path: Path) -> None:
    made = etl.run(real_csv_folder, tmp_path / "dataset", etl.EtlOptions(), Silent())
    compare(made, records_of(made, tmp_path))


def compare(made: Dataset, folder: Path) -> None:
    """The records against plain pandas over the baskets: a count, a sum, and the label of nobody's future."""
    import pandas as pd

    columns = ["basket_id", "cust_code", "shop_date", "spend_pence"]
    gold = pd.read_parquet(made.gold, columns=columns).dropna(subset="cust_code").astype({"cust_code": object})
    gold = gold.sort_values(["cust_code", "shop_date"])
    by_customer = gold.groupby("cust_code")
    gold["baskets"], gold["spent"] = by_customer.cumcount() + 1, by_customer["spend_pence"].cumsum()
    days = gold.groupby(["cust_code", "shop_date"], as_index=False).last().sort_values(["cust_code", "shop_date"])
    found = pd.read_parquet(folder / "customer.parquet").sort_values(["cust_code", "event_time"])
    assert len(found) == len(days) > 1_000
    assert found["cust_code"].tolist() == days["cust_code"].tolist()
    assert found["baskets"].tolist() == days["baskets"].tolist()
    assert found["spend_pence"].tolist() == days["spent"].tolist()
    midnight = pd.to_datetime(days["shop_date"]) + timedelta(seconds=86_399)
    assert found["event_time"].tolist() == midnight.tolist()
    assert found["baskets"].groupby(found["cust_code"]).max().sum() == len(gold)


def test_products_are_known_from_the_end_of_the_last_training_day(
    trained: Trained, small_dataset: Dataset, bundle_folder: Path, tmp_path: Path
) -> None:
    bundle = Bundle.open(bundle_folder)
    count = records.of_bundle(bundle, tmp_path / "product.parquet")
    rows = read(tmp_path / "product.parquet", "prod_code")
    assert count == len(rows) == len(bundle.json("leanings.json")["products"]) > 1_000
    boundary = trained.result["split"]["test_from"]
    ((last, first_judged),) = duckdb.sql(
        f"SELECT max(shop_date) FILTER (shop_week < {boundary}), "
        f"min(shop_date) FILTER (shop_week >= {boundary}) FROM '{small_dataset.gold}/*.parquet'"
    ).fetchall()
    (moment,) = {each[1] for each in rows}
    assert moment.date() == last < first_judged
    assert moment.time().isoformat() == "23:59:59"
    assert all(abs(sum(each[4:]) - 1) < 1e-9 for each in rows)
    silver = f"read_parquet('{small_dataset.silver}/**/*.parquet')"
    attributes = duckdb.sql(f"SELECT DISTINCT PROD_CODE, PROD_CODE_10, PROD_CODE_20 FROM {silver}").fetchall()
    assert {(each[0], *each[2:4]) for each in rows} <= set(attributes)


def test_every_algorithm_of_a_training_knows_the_same_of_products(trained: Trained) -> None:
    known = {(trained.folder / name / "products.json").read_bytes() for name in trained.result["runs"]}
    assert len(known) == 1


def test_a_model_without_leanings_has_no_product_records(tmp_path: Path) -> None:
    plain = bundles.write(tmp_path / "plain", {"card.json": b"{}"})
    assert records.of_bundle(plain, tmp_path / "product.parquet") is None
    assert not (tmp_path / "product.parquet").exists()


def test_the_groups_are_those_that_terraform_makes() -> None:
    text = TERRAFORM.read_text(encoding="utf-8")
    declared = re.search(r"feature_groups = \{\n(.*?)\n  \}\n\}", text, flags=re.DOTALL)
    assert declared
    made = {
        name: (key, dict(re.findall(r'(\w+)\s*=\s*"(\w+)"', features)))
        for name, key, features in re.findall(
            r'    (\w+) = \{\n\s+key = "(\w+)"\n\s+features = \{(.*?)\n      \}', declared.group(1), flags=re.DOTALL
        )
    }
    assert made == {name: (group.key, dict(group.features)) for name, group in GROUPS.items()}
    assert f'event_time_feature_name        = "{EVENT_TIME}"' in text
    assert f'record_identifier_feature_name = "{RECORD}"' in text
    for name in (RECORD, EVENT_TIME, VERSION):
        assert f'feature_name = "{name}"' in text


def test_records_have_the_types_that_their_group_declares(
    small_dataset: Dataset, bundle_folder: Path, tmp_path: Path
) -> None:
    records.of_bundle(Bundle.open(bundle_folder), tmp_path / "product.parquet")
    folder = records_of(small_dataset, tmp_path)
    files = {group.name: folder / f"{group.name}.parquet" for group in OF_DATASETS}
    files["product"] = tmp_path / "product.parquet"
    types = {"String": "VARCHAR", "Integral": "BIGINT", "Fractional": "DOUBLE"}
    for name, path in files.items():
        group = GROUPS[name]
        described = {column: type_ for column, type_, *_ in duckdb.sql(f"DESCRIBE FROM '{path}'").fetchall()}
        wanted = {group.key: "VARCHAR", EVENT_TIME: "TIMESTAMP"} | {
            each: types[t] for each, t in group.features.items()
        }
        assert described == wanted
