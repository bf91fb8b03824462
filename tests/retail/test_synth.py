"""Synthetic data: the published layout, the shapes of the real rows, and labels that come about as the real ones do."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from retailops.errors import UsageError
from retailops.progress import Silent
from retailops.retail import leanings
from retailops.retail.columns import COLUMNS, LABELS
from retailops.retail.synth import SynthOptions, generate, write
from retailops.retail.synth.options import monday
from retailops.retail.synth.week import HEADER, THRESHOLDS
from retailops.retail.synth.world import NO_SAY, build

OPTIONS = SynthOptions(baskets=40_000, weeks=20)
SMALL = SynthOptions(baskets=400, weeks=2)


@pytest.fixture(scope="module")
def shop() -> duckdb.DuckDBPyConnection:
    """Tables `line` and `basket` of the default options."""
    rows = pa.concat_tables(generate(OPTIONS))
    connection = duckdb.connect(config={"threads": 2})
    connection.register("rows", rows)
    connection.execute("CREATE TABLE line AS SELECT * FROM rows")
    connection.execute(
        "CREATE TABLE basket AS SELECT BASKET_ID id, min(CUST_CODE) customer, min(seg_1) segment, "
        "min(BASKET_SIZE) size, min(BASKET_PRICE_SENSITIVITY) label, min(BASKET_TYPE) kind, "
        "min(BASKET_DOMINANT_MISSION) mission, min(STORE_CODE) store, min(STORE_FORMAT) format, "
        "count(*) lines, sum(QUANTITY) quantity, sum(SPEND) spend FROM line GROUP BY 1"
    )
    return connection


def _one(shop: duckdb.DuckDBPyConnection, sql: str) -> object:
    (row,) = shop.execute(sql).fetchall()
    return row[0] if len(row) == 1 else list(row)


def _shares(shop: duckdb.DuckDBPyConnection, column: str) -> dict[str, float]:
    return dict(shop.execute(f"SELECT {column}, count(*) / sum(count(*)) OVER () FROM basket GROUP BY 1").fetchall())


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("label", {"MM": 0.512, "UM": 0.241, "LA": 0.229, "XX": 0.019}),
        ("size", {"M": 0.404, "L": 0.334, "S": 0.262}),
        ("kind", {"Small Shop": 0.552, "Top Up": 0.328, "Full Shop": 0.107, "XX": 0.013}),
        ("mission", {"Fresh": 0.508, "Mixed": 0.239, "Grocery": 0.189, "Nonfood": 0.052, "XX": 0.013}),
        ("format", {"LS": 0.58, "MS": 0.25, "SS": 0.10, "XLS": 0.07}),
    ],
)
def test_the_mix_of_baskets_is_that_of_the_real_rows(
    shop: duckdb.DuckDBPyConnection, column: str, expected: dict[str, float]
) -> None:
    assert _shares(shop, column) == pytest.approx(expected, abs=0.03)


def test_unclassified_baskets_are_about_two_percent(shop: duckdb.DuckDBPyConnection) -> None:
    assert _shares(shop, "label")["XX"] == pytest.approx(0.019, abs=0.005)


def test_lines_and_spend_are_spread_as_in_the_real_rows(shop: duckdb.DuckDBPyConnection) -> None:
    lines = _one(shop, "SELECT quantile_disc(lines, [0.25, 0.5, 0.75, 0.9, 0.99]) FROM basket")
    assert lines == pytest.approx([2, 4, 9, 16, 30], abs=1)
    assert _one(shop, "SELECT avg(lines) FROM basket") == pytest.approx(6.41, rel=0.05)
    spend = _one(shop, "SELECT quantile_cont(spend, [0.25, 0.5, 0.75, 0.9]) FROM basket")
    assert spend == pytest.approx([2.46, 6.48, 16.2, 31.4], rel=0.12)


def test_quantities_are_mostly_one_and_never_two(shop: duckdb.DuckDBPyConnection) -> None:
    shares = dict(shop.execute("SELECT QUANTITY, count(*) / sum(count(*)) OVER () FROM line GROUP BY 1").fetchall())
    assert shares[1] == pytest.approx(0.826, abs=0.02)
    assert shares[3] == pytest.approx(0.135, abs=0.02)
    assert shares[4] == pytest.approx(0.019, abs=0.005)
    assert 2 not in shares


def test_a_fifth_of_the_baskets_is_anonymous_without_a_segment(shop: duckdb.DuckDBPyConnection) -> None:
    assert _one(shop, "SELECT avg((customer IS NULL)::INT) FROM basket") == pytest.approx(0.205, abs=0.01)
    assert _one(shop, "SELECT count(*) FROM line WHERE (CUST_CODE IS NULL) <> (seg_1 IS NULL)") == 0
    assert _one(shop, "SELECT count(*) FROM line WHERE CUST_CODE IS NULL AND seg_2 IS NOT NULL") == 0
    assert _one(shop, "SELECT avg((seg_2 IS NULL)::INT) FROM line") == pytest.approx(0.29, abs=0.04)


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ("segment = 'AZ'", [0.431, 0.455, 0.094]),
        ("segment = 'BG'", [0.083, 0.447, 0.451]),
        ("segment = 'CT'", [0.183, 0.575, 0.226]),
        ("segment IS NULL", [0.253, 0.533, 0.195]),
    ],
)
def test_labels_go_with_the_customers_segment(
    shop: duckdb.DuckDBPyConnection, segment: str, expected: list[float]
) -> None:
    shares = ", ".join(f"avg((label = '{label}')::INT)" for label in LABELS)
    assert _one(shop, f"SELECT {shares} FROM basket WHERE {segment}") == pytest.approx(expected, abs=0.05)


def test_demand_is_concentrated_as_in_the_real_rows(shop: duckdb.DuckDBPyConnection) -> None:
    shop.execute(
        "CREATE OR REPLACE TEMP TABLE demand AS SELECT count(*) n FROM line GROUP BY PROD_CODE ORDER BY 1 DESC"
    )
    for first, share in ((100, 0.25), (1_000, 0.61)):
        top = _one(shop, f"SELECT (SELECT sum(n) FROM (FROM demand LIMIT {first})) / (SELECT sum(n) FROM demand)")
        assert top == pytest.approx(share, abs=0.035)
    assert _one(shop, "SELECT count(*) FROM demand") > 4_900


def test_a_customer_has_a_home_store(shop: duckdb.DuckDBPyConnection) -> None:
    share = _one(
        shop,
        "WITH visit AS (SELECT customer, count(*) n FROM basket WHERE customer IS NOT NULL GROUP BY customer, store) "
        "SELECT sum(most) / sum(total) FROM (SELECT max(n) most, sum(n) total FROM visit GROUP BY customer) "
        "WHERE total >= 10",
    )
    assert share == pytest.approx(0.81, abs=0.04)


def test_customers_come_as_often_as_real_ones() -> None:
    rows = duckdb.connect()
    rows.register("rows", pa.concat_tables(generate(SynthOptions(baskets=93_600, weeks=117))))
    low, middle, high = rows.execute(
        "SELECT quantile_cont(n, 0.1), median(n), quantile_cont(n, 0.9) FROM "
        "(SELECT count(DISTINCT BASKET_ID) n FROM rows WHERE CUST_CODE IS NOT NULL GROUP BY CUST_CODE)"
    ).fetchone() or (0, 0, 0)
    assert low <= 4
    assert middle == pytest.approx(39, rel=0.25)
    assert high == pytest.approx(195, rel=0.25)


def test_products_hang_in_a_strict_tree() -> None:
    codes = build(OPTIONS).products.codes
    levels = [codes[name] for name in ("PROD_CODE", "PROD_CODE_10", "PROD_CODE_20", "PROD_CODE_30", "PROD_CODE_40")]
    assert [len(np.unique(level)) for level in levels] == [4_997, 250, 90, 31, 9]
    for below, above in itertools.pairwise(levels):
        assert len(set(zip(below.tolist(), above.tolist(), strict=True))) == len(np.unique(below))


def test_all_stores_exist_with_one_format_and_region(shop: duckdb.DuckDBPyConnection) -> None:
    assert len(np.unique(build(OPTIONS).stores.codes)) == 761
    assert _one(shop, "SELECT count(DISTINCT STORE_REGION) FROM line") == 12
    assert _one(shop, "SELECT count(DISTINCT (STORE_CODE, STORE_FORMAT, STORE_REGION)) FROM line") == _one(
        shop, "SELECT count(DISTINCT STORE_CODE) FROM line"
    )


def test_most_products_have_one_unit_price_for_ever(shop: duckdb.DuckDBPyConnection) -> None:
    one = _one(
        shop,
        "SELECT avg((prices = 1)::INT) FROM (SELECT count(DISTINCT round(SPEND / QUANTITY, 4)) prices, count(*) n "
        "FROM line GROUP BY PROD_CODE) WHERE n >= 10",
    )
    assert one == pytest.approx(0.94, abs=0.015)


def test_products_that_lean_to_la_are_a_third_cheaper_than_their_category() -> None:
    ratios = []
    for seed in range(5):
        products = build(dataclasses.replace(OPTIONS, seed=seed)).products
        category = np.unique(products.codes["PROD_CODE_10"], return_inverse=True)[1]
        median = np.array([np.median(products.pence[category == each]) for each in range(category.max() + 1)])
        relative = np.log(products.pence / median[category])
        ratios.append(np.exp(relative[products.leaning == 0].mean()))
    assert np.mean(ratios) == pytest.approx(0.68, abs=0.05)


def test_products_of_one_category_lean_alike() -> None:
    products = build(OPTIONS).products
    category = np.unique(products.codes["PROD_CODE_10"], return_inverse=True)[1]
    leans_la = (products.leaning == 0).astype(float)
    size = np.bincount(category)
    share = np.bincount(category, leans_la) / size
    chance = leans_la.mean() * (1 - leans_la.mean()) / size
    large = size >= 15
    assert share[large].var() > 2 * chance[large].mean()


def test_sizes_follow_the_exact_rule_and_missions_the_contents(shop: duckdb.DuckDBPyConnection) -> None:
    wrong = "size <> CASE WHEN quantity <= 2 THEN 'S' WHEN quantity <= 9 THEN 'M' ELSE 'L' END"
    assert _one(shop, f"SELECT count(*) FROM basket WHERE {wrong}") == 0
    # A basket of one line is about its product: every division goes with one mission.
    missions = _one(
        shop,
        "SELECT max(n) FROM (SELECT count(DISTINCT mission) n FROM basket JOIN line ON BASKET_ID = id "
        "WHERE lines = 1 AND mission <> 'XX' GROUP BY PROD_CODE_40)",
    )
    assert missions == 1
    assert _one(shop, "SELECT count(*) FROM basket WHERE (mission = 'XX') <> (kind = 'XX')") == 0


def test_what_belongs_to_a_basket_is_constant_and_products_occur_once(shop: duckdb.DuckDBPyConnection) -> None:
    per_basket = [name for name in HEADER if name not in {"QUANTITY", "SPEND"} and not name.startswith("PROD_CODE")]
    varying = " OR ".join(f"count(DISTINCT {name}) > 1" for name in per_basket)
    assert _one(shop, f"SELECT count(*) FROM (SELECT BASKET_ID FROM line GROUP BY 1 HAVING {varying})") == 0
    assert _one(shop, "SELECT count(*) - count(DISTINCT (BASKET_ID, PROD_CODE)) FROM line") == 0
    assert _one(shop, "SELECT count(*) FROM basket") == OPTIONS.baskets


def test_weeks_are_fiscal_and_weekdays_agree_with_dates() -> None:
    assert monday(200607) == dt.date(2006, 4, 10)
    assert monday(200701) == dt.date(2007, 2, 26)
    for table in generate(SynthOptions(baskets=600, weeks=3, first_week=200651)):
        rows = table.select(["SHOP_WEEK", "SHOP_DATE", "SHOP_WEEKDAY", "BASKET_ID"]).to_pylist()
        first = monday(rows[0]["SHOP_WEEK"])
        for row in rows:
            date = dt.datetime.strptime(str(row["SHOP_DATE"]), "%Y%m%d").replace(tzinfo=dt.UTC).date()
            assert 0 <= (date - first).days < 7
            assert row["SHOP_WEEKDAY"] == date.isoweekday() % 7 + 1
        assert {len(str(row["BASKET_ID"])) for row in rows} == {15}
    assert str(rows[0]["BASKET_ID"])[:7] == "9941047"  # the 47th week of the published files is 200701


def test_christmas_weeks_sell_a_third_less() -> None:
    rows = {int(t["SHOP_WEEK"][0].as_py()): t.num_rows for t in generate(SynthOptions(20_000, 9, first_week=200640))}
    usual = np.mean([count for week, count in rows.items() if week not in {200644, 200645}])
    assert rows[200644] / usual == pytest.approx(0.67, abs=0.06)


def test_labels_follow_the_balance_of_hidden_leanings(shop: duckdb.DuckDBPyConnection) -> None:
    products = build(OPTIONS).products
    shop.register("hidden", pa.table({"PROD_CODE": products.codes["PROD_CODE"], "leaning": products.leaning}))
    wrong = _one(
        shop,
        f"WITH balance AS (SELECT BASKET_ID, avg(leaning - 1) FILTER (leaning <> {NO_SAY}) s, "
        "min(BASKET_PRICE_SENSITIVITY) label FROM line JOIN hidden USING (PROD_CODE) GROUP BY 1) "
        f"SELECT count(*) FROM balance WHERE label <> CASE WHEN s IS NULL THEN 'XX' WHEN s < {THRESHOLDS[0]} THEN 'LA' "
        f"WHEN s > {THRESHOLDS[1]} THEN 'UM' ELSE 'MM' END",
    )
    assert wrong == 0


def _labels(options: SynthOptions) -> np.ndarray:
    return np.concatenate(
        [table["BASKET_PRICE_SENSITIVITY"].to_numpy(zero_copy_only=False) for table in generate(options)]
    )


def test_noise_redraws_that_share_of_the_labels_and_nothing_else() -> None:
    clean = _labels(SMALL)
    kept = {
        share: (_labels(dataclasses.replace(SMALL, noise=share)) == clean)[clean != "XX"].mean() for share in (0.3, 1.0)
    }
    assert kept[0.3] == pytest.approx(1 - 0.3 * 2 / 3, abs=0.06)
    assert kept[1.0] == pytest.approx(1 / 3, abs=0.06)
    assert ((_labels(dataclasses.replace(SMALL, noise=1.0)) == "XX") == (clean == "XX")).all()


def test_files_have_the_published_layout(tmp_path: Path) -> None:
    counts = write(tmp_path, SMALL, Silent())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["transactions_200607.csv", "transactions_200608.csv"]
    assert counts["files"] == ["transactions_200607.csv", "transactions_200608.csv"]
    header, *rows = (tmp_path / "transactions_200607.csv").read_text().splitlines()
    assert len(header.split(",")) == len(COLUMNS) == 22
    assert header.startswith("SHOP_WEEK,SHOP_DATE,") and ",CUST_CODE,seg_1,seg_2,BASKET_ID," in header
    assert '"' not in "".join(rows)
    assert any(",,,,99410010" in row for row in rows)  # anonymous: customer and both segments empty
    keys = [(fields[14], fields[6]) for fields in (row.split(",") for row in rows)]
    assert keys == sorted(keys)


def test_counts_are_those_of_the_files(tmp_path: Path) -> None:
    counts = write(tmp_path, SMALL, Silent())
    rows = [line for path in tmp_path.iterdir() for line in path.read_text().splitlines()[1:]]
    assert counts["rows"] == len(rows)
    assert counts["baskets"] == len({row.split(",")[14] for row in rows}) == SMALL.baskets
    assert sum(counts["labels"].values()) == SMALL.baskets
    assert counts["bytes"] == sum(path.stat().st_size for path in tmp_path.iterdir())


def test_the_same_options_give_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, options in (("a", SMALL), ("b", SMALL), ("c", dataclasses.replace(SMALL, seed=8))):
        write(tmp_path / name, options, Silent())
    first, second, other = (
        [path.read_bytes() for path in sorted((tmp_path / name).iterdir())] for name in ("a", "b", "c")
    )
    assert first == second
    assert first != other


def test_parquet_holds_the_same_rows_as_csv(tmp_path: Path) -> None:
    write(tmp_path / "csv", SMALL, Silent())
    write(tmp_path / "parquet", SMALL, Silent(), format="parquet")
    csv, parquet = (
        f"(SELECT * EXCLUDE (seg_1, seg_2) FROM '{tmp_path}/{kind}/*.{kind}')" for kind in ("csv", "parquet")
    )
    assert _one(duckdb.connect(), f"SELECT count(*) FROM (FROM {csv} EXCEPT ALL FROM {parquet})") == 0
    assert _one(duckdb.connect(), f"SELECT count(*) FROM {csv}") == _one(
        duckdb.connect(), f"SELECT count(*) FROM {parquet}"
    )


def test_no_hidden_leaning_reaches_the_files() -> None:
    (table,) = generate(SynthOptions(50, 1))
    assert set(table.column_names) == set(HEADER)


def test_weeks_of_other_options_in_the_folder_are_refused(tmp_path: Path) -> None:
    write(tmp_path, SMALL, Silent())
    with pytest.raises(UsageError, match="transactions_200608"):
        write(tmp_path, dataclasses.replace(SMALL, weeks=1), Silent())


class _Broken(Silent):
    def advance(self, done: int) -> None:
        raise KeyboardInterrupt


def test_an_interrupted_write_leaves_whole_files_only(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, SMALL, _Broken())
    assert [path.name for path in tmp_path.iterdir()] == ["transactions_200607.csv"]
    write(tmp_path, SMALL, Silent())
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"baskets": 1, "weeks": 2}, "baskets"),
        ({"weeks": 0}, "weeks"),
        ({"noise": 1.5}, "noise"),
        ({"seed": -1}, "seed"),
        ({"first_week": 200653}, "first_week"),
        ({"first_week": 200501}, "first_week"),
        ({"weeks": 2_000}, "BASKET_ID"),
    ],
)
def test_impossible_options_are_refused_by_name(wrong: dict[str, float], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        SynthOptions(**wrong)  # type: ignore[arg-type]


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="xlsx"):
        write(tmp_path, SMALL, Silent(), format="xlsx")


def test_a_single_basket_is_enough() -> None:
    (table,) = generate(SynthOptions(baskets=1, weeks=1))
    assert table.num_rows >= 1


def _learned_accuracy(options: SynthOptions) -> float:
    """Of leanings fitted on all but the last two weeks, judged on those."""
    rows = pa.concat_tables(generate(options)).to_pydict()
    ids, basket = np.unique(rows["BASKET_ID"], return_inverse=True)
    codes, first, product = np.unique(rows["PROD_CODE"], return_index=True, return_inverse=True)
    pence = np.rint(np.array(rows["SPEND"]) * 100).astype(np.int64)
    quantity = np.array(rows["QUANTITY"])
    levels = {name: np.array(rows[name])[first] for name in HEADER if name.startswith("PROD_CODE_")}
    catalogue = leanings.Catalogue(codes, levels, (pence / quantity)[first])
    lines = leanings.Lines(basket.astype(np.int32), product.astype(np.int32), quantity, pence, len(ids))
    starts = np.flatnonzero(np.diff(basket, prepend=-1))
    label = np.array(rows["BASKET_PRICE_SENSITIVITY"])[starts]
    y = np.select([label == each for each in LABELS], range(3), -1)
    later = np.isin(np.array(rows["SHOP_WEEK"])[starts], options.fiscal_weeks[-2:])
    train, test = (y >= 0) & ~later, (y >= 0) & later
    fitted = leanings.fit(lines.take(train), y[train], catalogue, weight="one", progress=Silent())
    features = fitted.features(lines.take(test), fitted.posteriors(catalogue)[0])
    p_la, p_um = (features[:, leanings.FEATURES.index(name)] for name in ("leaning_p_la", "leaning_p_um"))
    found = np.column_stack([p_la, 1 - p_la - p_um, p_um]).argmax(axis=1)
    return float((found == y[test]).mean())


@pytest.mark.slow
def test_the_hidden_leanings_can_be_learned_from_the_default_size() -> None:
    assert _learned_accuracy(OPTIONS) >= 0.97


@pytest.mark.slow
def test_with_pure_noise_nothing_can_be_learned() -> None:
    assert _learned_accuracy(dataclasses.replace(OPTIONS, baskets=10_000, noise=1.0)) < 0.4
