"""The ETL on Spark: the same rows, the same refusals and the same manifest as DuckDB's, to the row and to the bit."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from tests.retail.transactions import row, text, weeks, write

import sparks
from retailops.errors import RetailOpsError, Unsupported
from retailops.progress import Silent
from retailops.retail import etl, sources, training
from retailops.retail.columns import COLUMNS, LABEL
from retailops.retail.dataset import Dataset
from retailops.retail.spark import dialect, order, verdict

ANY = etl.EtlOptions(max_quarantined=1.0)


def differences(one: Path, other: Path) -> dict[str, list[Any]]:
    """What two datasets don't share: rows of their zones, entries of their manifests, refused rows.

    Fractions are compared as the shortest text that stands for exactly them: NULL, NaN, 0.0 and -0.0 differ.
    """
    found: dict[str, list[Any]] = {}
    for zone, places in {"silver": "silver/*/*/*.parquet", "gold": "gold/*.parquet"}.items():
        connection = duckdb.connect()
        schemas = []
        for name, folder in (("a", one), ("b", other)):
            source = f"read_parquet('{folder}/{places}', hive_types_autocast = false)"
            described = connection.sql(f"DESCRIBE FROM {source}").fetchall()
            schemas.append(sorted(each[:2] for each in described))
            exact = [f"{name}::VARCHAR AS {name}" if kind == "DOUBLE" else name for name, kind in schemas[-1]]
            connection.sql(f"CREATE TABLE {name} AS SELECT {', '.join(exact)} FROM {source}")
        assert schemas[0] == schemas[1]
        apart = connection.sql("(FROM a EXCEPT ALL FROM b) UNION ALL (FROM b EXCEPT ALL FROM a)")
        found[zone] = apart.limit(5).fetchall()
        connection.close()
    told = [Dataset.open(folder).manifest for folder in (one, other)]
    found["manifest"] = [(key, *(each.get(key) for each in told)) for key in {*told[0], *told[1]}]
    found["manifest"] = [each for each in found["manifest"] if each[1] != each[2]]
    rows = [(folder / "quarantine" / "rows.csv").read_bytes() for folder in (one, other)]
    found["quarantine"] = [] if rows[0] == rows[1] else rows
    return {name: what for name, what in found.items() if what}


def both(source: Path, folder: Path, options: etl.EtlOptions = ANY) -> tuple[Dataset, Dataset]:
    """The dataset of each engine."""
    place, problem = sparks.etl(source, folder / "spark", options)
    assert problem is None
    return etl.run(source, folder / "duckdb", options, Silent()), Dataset.open(place)


# Values that the two engines would read differently if nobody had seen to it, by column.
ODD: list[tuple[str, str]] = [
    ("SHOP_WEEK", " 200607 "),
    ("SHOP_WEEK", "\u00a0200607\u2003"),  # spaces of Unicode: DuckDB trims them by itself, Spark doesn't
    ("SHOP_WEEK", "\t200607"),
    ("SHOP_WEEK", "２００６０７"),  # digits, but not ours
    ("SHOP_DATE", "20060230"),
    ("SHOP_DATE", "2006-04-10"),
    ("SHOP_DATE", "2006-4-10"),
    ("SHOP_DATE", "20040229"),
    ("SHOP_HOUR", "08"),
    ("QUANTITY", "0001685"),
    ("QUANTITY", "1.0"),
    ("QUANTITY", "1e3"),
    ("SPEND", "0.29"),
    ("SPEND", "1.15"),
    ("SPEND", "2594.900000000000000000000000000000"),
    ("SPEND", "-0.50"),
    ("SPEND", "-0"),
    ("SPEND", "NaN"),
    ("SPEND", "1,20"),
    ("SPEND", "999999999.99"),
    ("PROD_CODE", "P" * 40),
    ("PROD_CODE", "P" * 41),
    ("PROD_CODE", "🍞" * 40),  # two of Java's characters each
    ("PROD_CODE", "🍞" * 41),
    ("PROD_CODE", "a\x00b"),
    ("PROD_CODE", "a\u2028"),  # an end of line, for Java's patterns
    ("PROD_CODE", "Ω\u0085"),
    ("PROD_CODE", "\\d'%_`"),
    ("PROD_CODE_10", "NULL"),
    ("PROD_CODE_20", '"DEP,""quoted"""'),
    ("PROD_CODE_20", '""'),
    ("CUST_CODE", ""),
    ("CUST_CODE", "   "),
    ("CUST_PRICE_SENSITIVITY", "az"),
    ("CUST_LIFESTAGE", "Fn"),
    ("BASKET_DOMINANT_MISSION", "non food"),
    (LABEL, "hıgh"),
    (LABEL, "Medium"),
    (LABEL, "xx"),
    (LABEL, ""),
    ("STORE_REGION", ".."),
    ("STORE_REGION", "A/B=%41 {x}:*"),
    ("STORE_REGION", "Île-de-France"),
    ("BASKET_TYPE", "Top\u00a0Up"),
    ("STORE_CODE", "__HIVE_DEFAULT_PARTITION__"),
]


def traps(folder: Path) -> Path:
    """Files with every trap of the published data, and some of the two engines' own."""
    odd = [row(100 + number, 1, **{column: value}) for number, (column, value) in enumerate(ODD)]
    lines = text([*weeks()[:30], *odd]).splitlines()
    lines[5:5] = ["", "   ", "\u3000", "1,2,3", ",".join(["x"] * 23), '"' + lines[4], lines[4] + '"', "a\rb"]
    lines[20:20] = [lines[2]]  # the very same row again, elsewhere
    folder.mkdir()
    (folder / "b [1] {odd}.csv").write_bytes("\r\n".join(lines).encode())  # and no end of line at its end
    # Other delimiter and order, aliases, a byte order mark, a column of somebody's own; compressed.
    names = [*reversed(COLUMNS), "remark"]
    aliases = {"SPEND": "sfnnd", "BASKET_TYPE": "BASKET_TYFN", "PROD_CODE_10": "Product_Code10"}
    head = "\ufeff" + ";".join(aliases.get(name, name) for name in names)
    again = [row(1, 1), row(1, 2, QUANTITY="2"), row(2001, 9, week=200608), row(1003, 1, week=200609)]
    bad = [row(5, 2, SHOP_HOUR="15"), row(700, 1, SHOP_WEEKDAY="3"), row(701, 1, SPEND="x", SHOP_HOUR="x")]
    rest = [*weeks()[30:], *again, *bad]
    random.Random(3).shuffle(rest)
    body = [";".join(each.get(name, "of somebody") for name in names) for each in rest]
    body[3] = body[3].replace("of somebody", '"of; somebody"')
    (folder / "a.csv.gz").write_bytes(gzip.compress("\n".join([head, *body, ""]).encode()))
    (folder / "deeper").mkdir()
    write(
        folder / "deeper" / "a.csv", [row(9000 + n, n, week=200609, QUANTITY=n, SPEND=f"{n}.0{n}") for n in (1, 3, 7)]
    )
    (folder / "empty.csv").touch()
    (folder / ".~lock.b.csv#").write_text("x")
    return folder


@pytest.mark.slow
def test_every_trap_ends_as_it_does_on_duckdb(tmp_path: Path) -> None:
    one, other = both(traps(tmp_path / "in put"), tmp_path)
    assert differences(one.folder, other.folder) == {}
    assert one.rows["duplicates"] >= 1 and one.rows["gold"] > 30
    expected = {"malformed", "basket_in_two_weeks", "basket_contradicts_itself", "line_contradicts_itself"}
    assert {*one.manifest["reasons"]} >= expected | {"weekday_of_date", "shop_week", "prod_code", "spend"}


@pytest.mark.slow
def test_a_model_trained_on_either_is_the_same_to_the_byte(synthetic_csvs: Path, tmp_path: Path) -> None:
    datasets = both(synthetic_csvs, tmp_path, etl.EtlOptions())
    assert differences(*(each.folder for each in datasets)) == {}
    wanted = training.TrainOptions(algorithms=("decision_tree",))
    runs = [training.train(each, tmp_path / each.folder.name / "model", wanted, Silent()) for each in datasets]
    assert runs[0] == runs[1] and runs[0]["runs"]["decision_tree"]["hash"]


@pytest.mark.slow
@pytest.mark.real
def test_gold_and_silver_of_all_real_rows_are_the_same(real_csv_folder: Path, tmp_path: Path) -> None:
    one, other = both(real_csv_folder, tmp_path, etl.EtlOptions(max_quarantined=0))
    assert differences(one.folder, other.folder) == {}
    assert one.rows["silver"] == one.rows["raw"] > 10_000


@pytest.mark.slow
def test_input_that_is_refused_is_refused_in_the_same_words(tmp_path: Path) -> None:
    write(tmp_path / "gate" / "in.csv", [*weeks(), row(700, 1, SHOP_HOUR="99"), row(701, 1, SPEND="x")])
    write(tmp_path / "empty" / "in.csv", [row(1, 1, SHOP_HOUR="99")])
    write(tmp_path / "rounded" / "in.csv", [*weeks(), row(BASKET_ID=" 9.94E+14"), row(BASKET_ID="9,9e14")])
    write(tmp_path / "latin" / "in.csv", weeks())
    path = tmp_path / "latin" / "in.csv"
    path.write_bytes(path.read_bytes() + text([row(700, 1, STORE_REGION="Île")]).splitlines()[1].encode("latin-1"))
    options = {"gate": etl.EtlOptions(max_quarantined=0.02)}
    wanted = {name: options.get(name, ANY) for name in ("gate", "empty", "rounded", "latin")}
    found = sparks.refusals({name: (tmp_path / name, each) for name, each in wanted.items()}, tmp_path / "spark")
    for name, each in wanted.items():
        with pytest.raises(RetailOpsError) as caught:
            etl.run(tmp_path / name, tmp_path / "duckdb" / name, each, Silent())
        quarantine = str(tmp_path / "duckdb" / name / "quarantine")
        told = verdict.error(found[name], quarantine, each.max_quarantined)
        assert type(told) is type(caught.value)
        assert (told.what, told.fix, told.details) == (caught.value.what, caught.value.fix, caught.value.details)


def test_the_statements_that_are_shipped_are_what_sqlglot_makes_of_those_of_duckdb() -> None:
    shipped = {path.stem: path.read_text() for path in dialect.FOLDER.glob("*.sql")}
    assert shipped == {name: dialect.in_spark(each) for name, each in dialect.statements().items()}, "run make dialect"


@pytest.mark.parametrize("strange", ["hash(row)", "list(row ORDER BY row)", "TRY_STRPTIME(x, '%W')", "row // 2"])
def test_a_construct_that_nobody_has_compared_is_not_passed_through(strange: str) -> None:
    with pytest.raises(ValueError, match="Not compared"):
        dialect.in_spark(f"SELECT {strange} FROM typed")


def test_parquet_is_left_to_the_other_engine_in_words(tmp_path: Path) -> None:
    duckdb.from_arrow(pa.table({name: [value] for name, value in row().items()})).write_parquet(
        str(tmp_path / "a.parquet")
    )
    with pytest.raises(Unsupported, match=r"a\.parquet is parquet") as caught:
        order.order(sources.discover(tmp_path), {}, {}, {}, ANY, labelled=True)
    assert "etl.engine: container" in caught.value.fix
