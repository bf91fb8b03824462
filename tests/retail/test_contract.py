"""The contract, rule by rule: what breaks it, what merely looks odd, and that both ways of applying it agree."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from tests.retail.transactions import row, write

from retailops.progress import Silent
from retailops.retail import contract, etl
from retailops.retail.columns import COLUMNS, LABEL
from retailops.retail.typed import typed

CONNECTION = duckdb.connect()

LONG = "P" * 41
BROKEN: dict[str, tuple[str, ...]] = {
    "SHOP_WEEK": ("200654", "200600", "2006-07", ""),
    "SHOP_DATE": ("20060230", "20061301", "10/04/2006", ""),
    "SHOP_WEEKDAY": ("0", "8", "Monday"),
    "SHOP_HOUR": ("24", "-1", "14:30"),
    "QUANTITY": ("0", "-1", "1.5", "1e3", "0x10", ""),
    "SPEND": ("1.234", "NaN", "inf", "1e2", "£1.20", "1 000", "1,20", ""),
    "BASKET_ID": ("99410010000009A", "-5", "1" * 19, "12.0", ""),
    "PROD_CODE": ("", LONG),
    "PROD_CODE_10": ("   ",),
    "PROD_CODE_40": ("D\x0001",),
    LABEL: ("ZZ", ""),
    "STORE_CODE": ("",),
    "STORE_REGION": ("",),
    "BASKET_TYPE": ("",),
    "BASKET_SIZE": ("L\x07",),
    "CUST_CODE": (LONG,),
}
EACH_BROKEN = [(column, value) for column, values in BROKEN.items() for value in values]

ACCEPTED: list[tuple[str, str, object]] = [
    ("SHOP_DATE", "2006-04-10", date(2006, 4, 10)),
    ("SHOP_HOUR", "0", 0),
    ("SHOP_HOUR", "08", 8),
    ("QUANTITY", "1685", 1685),
    ("SPEND", "-0.50", -50),
    ("SPEND", "0", 0),
    ("SPEND", "1.1", 110),
    ("SPEND", "2594.90", 259490),
    ("SPEND", " 4.35 ", 435),
    ("SPEND", "0.2900", 29),
    ("CUST_CODE", "", None),
    ("CUST_PRICE_SENSITIVITY", "AZ", "LA"),
    ("CUST_PRICE_SENSITIVITY", "UM", "UM"),
    ("CUST_LIFESTAGE", "FN", "PE"),
    ("BASKET_DOMINANT_MISSION", "Non Food", "Nonfood"),
    (LABEL, "High", "LA"),
    (LABEL, "medium", "MM"),
    (LABEL, "LOW", "UM"),
    (LABEL, "xx", "XX"),
    ("STORE_REGION", "Île-de-France", "Île-de-France"),
    ("BASKET_TYPE", "Café / à emporter", "Café / à emporter"),
    ("STORE_FORMAT", "Hyper", "Hyper"),
]


def one(column: str, value: str, *, labelled: bool = True) -> tuple[object, str | None]:
    """What the ETL makes of `value` in `column`, and the reason if it is refused."""
    (field,) = [each for each in contract.fields(labelled=labelled) if each.source == column]
    result = typed(pa.table({column: pa.array([value or None], pa.string()).dictionary_encode()}), (field,), CONNECTION)
    return result.table.column(0)[0].as_py(), field.code if result.broken[0] else None


@pytest.mark.parametrize(("column", "value"), EACH_BROKEN)
def test_a_value_that_breaks_its_rule_is_named_by_its_column(column: str, value: str) -> None:
    assert one(column, value)[1] == column.lower()


@pytest.mark.parametrize(("column", "value", "expected"), ACCEPTED)
def test_an_odd_but_right_value_is_decoded(column: str, value: str, expected: object) -> None:
    assert one(column, value) == (expected, None)


def test_pence_are_exact_for_every_amount_up_to_a_hundred_pounds() -> None:
    texts = [f"{pence // 100}.{pence % 100:02d}" for pence in range(10_000)]
    columns = {n: pa.array([v] * len(texts)).dictionary_encode() for n, v in row().items()}
    table = pa.table(columns | {"SPEND": pa.array(texts).dictionary_encode()})
    found = typed(table, contract.fields(), CONNECTION).table
    assert found.column("SPEND_PENCE").to_pylist() == list(range(10_000))


def test_without_labels_an_empty_label_is_right_and_a_wrong_one_still_is_not() -> None:
    assert one(LABEL, "", labelled=False) == (None, None)
    assert one(LABEL, "ZZ", labelled=False)[1] == LABEL.lower()


def test_every_rule_has_a_code_of_its_own_and_a_sentence() -> None:
    codes = [rule.code for rule in contract.RULES]
    assert len(set(codes)) == len(codes)
    assert all(rule.sentence.endswith(".") for rule in contract.RULES)
    in_sql = contract.sql("verdicts") + contract.sql("weekdays")
    assert all(
        code in in_sql for code in codes if code.startswith(("basket_in", "basket_con", "line_con", "weekday_of"))
    )


def test_the_statement_for_other_engines_types_every_row_as_the_etl_does() -> None:
    rows = [row(**{c: v}) for c, v in EACH_BROKEN] + [row(**{c: v}) for c, v, _ in ACCEPTED]
    fields = contract.fields()
    text = pa.table({name: pa.array([each[name] or None for each in rows], pa.string()) for name in COLUMNS})
    encoded = pa.table({name: text.column(name).dictionary_encode() for name in COLUMNS})
    ours = typed(encoded, fields, CONNECTION)
    CONNECTION.register("raw", text.append_column("row", pa.array(range(len(rows)))))
    whole = CONNECTION.sql(contract.typed_sql("raw") + " ORDER BY row").to_arrow_table()
    assert whole.column("broken").to_pylist() == [fields[c - 1].code if c else None for c in ours.broken.tolist()]
    for field in fields:
        assert whole.column(field.name).to_pylist() == ours.table.column(field.name).to_pylist(), field.name


def reasons(folder: Path, rows: list[dict[str, str]]) -> dict[int, str]:
    """Line → reason of what the ETL puts into quarantine."""
    options = etl.EtlOptions(max_quarantined=1.0)
    good = [row(999, product) for product in range(1, 3)]  # so that something is left
    dataset = etl.run(write(folder / "in.csv", [*rows, *good]), folder / "out", options, Silent())
    counts = dataset.rows
    assert counts["raw"] == counts["silver"] + counts["quarantined"] + counts["duplicates"] == len(rows) + 2
    with (dataset.quarantine / "rows.csv").open(newline="") as stream:
        return {int(each["line"]): each["reason"] for each in csv.DictReader(stream)}


def test_a_weekday_that_is_not_that_of_the_date_is_refused(tmp_path: Path) -> None:
    assert reasons(tmp_path, [row(1, 1), row(1, 2, SHOP_WEEKDAY="3")]) == {3: "weekday_of_date"}


@pytest.mark.parametrize("column", ["SHOP_HOUR", "CUST_CODE", LABEL, "STORE_CODE", "BASKET_TYPE", "CUST_LIFESTAGE"])
def test_a_basket_that_contradicts_itself_is_refused_whole(tmp_path: Path, column: str) -> None:
    other = {"SHOP_HOUR": "15", "CUST_CODE": "", LABEL: "UM"}.get(column, "OTHER")
    found = reasons(tmp_path, [row(1, 1), row(1, 2, **{column: other}), row(2, 1)])
    assert found == {2: "basket_contradicts_itself", 3: "basket_contradicts_itself"}


def test_two_spellings_of_one_value_are_no_contradiction(tmp_path: Path) -> None:
    assert reasons(tmp_path, [row(1, 1, CUST_LIFESTAGE="DI"), row(1, 2, CUST_LIFESTAGE="YF")]) == {}


def test_a_repeated_line_is_a_duplicate_and_one_that_differs_is_refused(tmp_path: Path) -> None:
    same = [row(1, 1), row(1, 1), row(1, 1, SPEND="1.150")]
    differs = [row(2, 1), row(2, 1, QUANTITY="2"), row(2, 2)]
    assert reasons(tmp_path, same + differs) == {5: "line_contradicts_itself", 6: "line_contradicts_itself"}


def test_a_basket_belongs_to_the_first_week_it_occurs_in(tmp_path: Path) -> None:
    assert reasons(tmp_path, [row(1, 1), row(2, 1), row(1, 2, week=200608)]) == {4: "basket_in_two_weeks"}
