"""Questions to a dataset: answered from its two views, by an engine that can reach and change nothing else."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from tests.retail.transactions import row, weeks, write

from retailops.errors import UsageError
from retailops.progress import Silent
from retailops.retail import etl, question
from retailops.retail.dataset import Dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("it's here")
    rows = [*weeks(), row(700, 1, CUST_CODE="", STORE_REGION="A/B", BASKET_TYPE="007")]
    return etl.run(write(folder / "in.csv", rows), folder / "made", etl.EtlOptions(), Silent())


def ask(dataset: Dataset, sql: str, limit: int = 10) -> tuple[list[str], list[list[Any]]]:
    return question.ask(dataset, sql, limit, memory_mb=300, threads=1)


def test_both_zones_answer_with_their_own_values_and_the_rows_are_bounded(dataset: Dataset) -> None:
    sql = "SELECT STORE_REGION, BASKET_TYPE, count(*) AS n FROM silver GROUP BY ALL ORDER BY 1;"
    columns, rows = ask(dataset, sql)
    assert columns == ["STORE_REGION", "BASKET_TYPE", "n"]
    assert rows[0] == ["A/B", "007", 1] and [each[2] for each in rows] == [1, 24, 24, 24]
    _, rows = ask(dataset, "FROM gold SELECT cust_code, shop_date ORDER BY cust_code NULLS FIRST -- to the end", 2)
    assert rows == [[None, date(2006, 4, 10)], ["CUST0000000042", date(2006, 4, 10)]]
    assert len(ask(dataset, "SELECT * FROM silver", 5)[1]) == 5


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_text('{folder}/manifest.json')",
        "SELECT * FROM read_parquet('https://example.org/x.parquet')",
        "COPY gold TO '{folder}/gold/x.csv'",
        "DROP VIEW gold",
        "CREATE TABLE x AS SELECT 1",
        "ATTACH '{folder}/x.db'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SELECT 1; SELECT 2",
        "SELECT 1) ; DROP VIEW gold; --",
        "SELECT nope FROM gold",
        "SELEC",
        "",
    ],
)
def test_nothing_else_is_read_and_nothing_is_written(dataset: Dataset, sql: str) -> None:
    before = sorted(dataset.folder.rglob("*"))
    with pytest.raises(UsageError):
        ask(dataset, sql.format(folder=dataset.folder))
    assert sorted(dataset.folder.rglob("*")) == before
    assert ask(dataset, "SELECT count(*) FROM gold")[1] == [[19]]
