"""The same ETL in plain pandas, as a careful data scientist would write it: the yardstick of benchmarks/etl.py.

Usage: python benchmarks/pandas_etl.py INPUT OUTPUT [READER]
INPUT: one CSV or a folder of them, as published and with labels. READER: pandas' engine, "c" (its own) or "pyarrow".

Everything is read into memory at once, as text, so that a bad value costs its row and not the run.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd

RENAME = {"seg_1": "CUST_PRICE_SENSITIVITY", "seg_2": "CUST_LIFESTAGE"}
SEGMENTS = {"AZ": "LA", "BG": "UM", "CT": "MM", "DY": "XX"}
LIFESTAGES = {"AT": "YA", "BU": "OT", "CZ": "OA", "DI": "YF", "EQ": "OF", "FN": "PE"}
LABELS = {"HIGH": "LA", "MEDIUM": "MM", "LOW": "UM"}
MISSIONS = {"NON FOOD": "Nonfood", "NONFOOD": "Nonfood"}
INTEGERS = {
    "SHOP_WEEK": (200001, 209953, "int32"),
    "SHOP_WEEKDAY": (1, 7, "int8"),
    "SHOP_HOUR": (0, 23, "int8"),
    "QUANTITY": (1, 9_999_999, "int32"),
    "BASKET_ID": (0, 10**18 - 1, "int64"),
}
PRODUCT = ["PROD_CODE", "PROD_CODE_10", "PROD_CODE_20", "PROD_CODE_30", "PROD_CODE_40"]
CONSTANT = [
    "SHOP_WEEK", "SHOP_DATE", "SHOP_HOUR", "CUST_CODE", "CUST_PRICE_SENSITIVITY", "CUST_LIFESTAGE", "BASKET_SIZE",
    "BASKET_PRICE_SENSITIVITY", "BASKET_TYPE", "BASKET_DOMINANT_MISSION", "STORE_CODE", "STORE_FORMAT", "STORE_REGION",
]  # fmt: skip
OPTIONAL = ["CUST_CODE", "CUST_PRICE_SENSITIVITY", "CUST_LIFESTAGE"]


def load(source: Path, reader: str) -> pd.DataFrame:
    """Every row as text; low-cardinality columns as categories, which is what makes pandas fast here."""
    files = sorted(source.glob("*.csv")) if source.is_dir() else [source]
    frames = []
    for file in files:
        frame = pd.read_csv(file, dtype=str, engine=reader).rename(columns=RENAME)
        frame["file"] = file.name
        frame["line"] = range(2, len(frame) + 2)
        frames.append(frame)
    rows = pd.concat(frames, ignore_index=True)
    codes = [*PRODUCT, *CONSTANT[3:], "file"]
    return rows.astype(dict.fromkeys(codes, "category"))


def decode(column: pd.Series, names: dict[str, str]) -> pd.Series:
    """Other spellings of a value brought to one, on the categories alone."""
    plain = {each: names.get(each.strip().upper(), each.strip()) for each in column.cat.categories}
    return column.map(plain).astype("category")


def validate(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Typed rows, and the reason why a row is refused (missing where it isn't)."""
    reason = pd.Series(pd.NA, index=rows.index, dtype="string")
    typed = pd.DataFrame(index=rows.index)

    def refuse(bad: pd.Series, why: str) -> None:
        reason[bad & reason.isna()] = why

    for name, (low, high, dtype) in INTEGERS.items():
        numbers = pd.to_numeric(rows[name], errors="coerce")
        bad = ~numbers.between(low, high) | (numbers % 1 != 0)
        refuse(bad, name.lower())
        typed[name] = numbers.where(~bad, 0).astype(dtype)
    typed["SHOP_DATE"] = pd.to_datetime(rows["SHOP_DATE"], format="%Y%m%d", errors="coerce")
    refuse(typed["SHOP_DATE"].isna(), "shop_date")
    spend = pd.to_numeric(rows["SPEND"], errors="coerce")
    typed["SPEND_PENCE"] = (spend * 100).round().fillna(0).astype("int64")
    refuse(spend.isna() | ((spend * 100 - typed["SPEND_PENCE"]).abs() > 1e-6), "spend")
    refuse((typed["SHOP_DATE"].dt.day_of_week + 1) % 7 + 1 != typed["SHOP_WEEKDAY"], "weekday_of_date")
    for name in [*PRODUCT, *CONSTANT[3:]]:
        values = rows[name]
        ok = values.cat.categories.to_series().str.fullmatch(r"[!-~]([ -~]{0,38}[!-~])?")
        refuse(values.isin(ok.index[~ok]), name.lower())
        if name not in OPTIONAL:
            refuse(values.isna(), name.lower())
        typed[name] = values
    typed["CUST_PRICE_SENSITIVITY"] = decode(typed["CUST_PRICE_SENSITIVITY"], SEGMENTS)
    typed["CUST_LIFESTAGE"] = decode(typed["CUST_LIFESTAGE"], LIFESTAGES)
    typed["BASKET_DOMINANT_MISSION"] = decode(typed["BASKET_DOMINANT_MISSION"], MISSIONS)
    typed["BASKET_PRICE_SENSITIVITY"] = decode(typed["BASKET_PRICE_SENSITIVITY"], LABELS)
    refuse(~typed["BASKET_PRICE_SENSITIVITY"].isin(["LA", "MM", "UM", "XX"]), "basket_price_sensitivity")
    return typed, reason


def deduplicate(typed: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series, int]:
    """Silver rows, the reasons of further refused rows, and the number of repeated rows."""
    reason = pd.Series(pd.NA, index=typed.index, dtype="string")
    shapes = typed[["BASKET_ID", *CONSTANT]].drop_duplicates()
    torn = shapes["BASKET_ID"][shapes["BASKET_ID"].duplicated()]
    reason[typed["BASKET_ID"].isin(torn)] = "basket_contradicts_itself"
    repeated = typed.duplicated(["BASKET_ID", "PROD_CODE"], keep=False) & reason.isna()
    drop = pd.Series(False, index=typed.index)
    if repeated.any():
        lines = typed[repeated].drop_duplicates(["BASKET_ID", "QUANTITY", "SPEND_PENCE", *PRODUCT])
        keys = (
            lines[lines.duplicated(["BASKET_ID", "PROD_CODE"], keep=False)].set_index(["BASKET_ID", "PROD_CODE"]).index
        )
        conflict = repeated & typed.set_index(["BASKET_ID", "PROD_CODE"]).index.isin(keys)
        reason[conflict] = "line_contradicts_itself"
        drop = repeated & ~conflict & typed.duplicated(["BASKET_ID", "PROD_CODE"])
    return typed[reason.isna() & ~drop], reason, int(drop.sum())


def gold(silver: pd.DataFrame) -> pd.DataFrame:
    """One row a basket: the columns of the feature table."""
    rows = silver.assign(unit=silver["SPEND_PENCE"] / silver["QUANTITY"])
    baskets = rows.groupby("BASKET_ID", sort=False)
    out = baskets.agg(
        shop_week=("SHOP_WEEK", "first"),
        shop_date=("SHOP_DATE", "first"),
        cust_code=("CUST_CODE", "first"),
        store_code=("STORE_CODE", "first"),
        label=("BASKET_PRICE_SENSITIVITY", "first"),
        lines=("PROD_CODE", "size"),
        quantity=("QUANTITY", "sum"),
        shop_weekday=("SHOP_WEEKDAY", "first"),
        shop_hour=("SHOP_HOUR", "first"),
        basket_size=("BASKET_SIZE", "first"),
        basket_type=("BASKET_TYPE", "first"),
        basket_mission=("BASKET_DOMINANT_MISSION", "first"),
        spend_pence=("SPEND_PENCE", "sum"),
        dearest_line_pence=("SPEND_PENCE", "max"),
        dearest_unit_pence=("unit", "max"),
        store_region=("STORE_REGION", "first"),
        store_format=("STORE_FORMAT", "first"),
        departments=("PROD_CODE_20", "nunique"),
        categories=("PROD_CODE_10", "nunique"),
    )
    out["mean_unit_pence"] = out["spend_pence"] / out["quantity"]
    out["mean_line_pence"] = out["spend_pence"] / out["lines"]
    dearest = (
        rows.sort_values(["SPEND_PENCE", "PROD_CODE"]).drop_duplicates("BASKET_ID", keep="last").set_index("BASKET_ID")
    )
    out["dearest_department"] = dearest["PROD_CODE_20"]
    out["dearest_group"] = dearest["PROD_CODE_30"]
    return out.rename_axis("basket_id").reset_index().sort_values(["shop_week", "basket_id"], ignore_index=True)


def main(source: Path, output: Path, reader: str = "c") -> None:
    output.mkdir(parents=True, exist_ok=True)
    rows = load(source, reader)
    typed, reason = validate(rows)
    silver, later, duplicates = deduplicate(typed[reason.isna()])
    reason = reason.fillna(later)
    refused = rows[reason.notna()].assign(reason=reason[reason.notna()])
    refused.to_csv(output / "quarantine.csv", index=False)
    silver.to_parquet(
        output / "silver", partition_cols=["STORE_REGION", "BASKET_TYPE"], compression="zstd", index=False
    )
    baskets = gold(silver)
    baskets.to_parquet(output / "gold.parquet", compression="zstd", index=False)
    counts = {
        "raw": len(rows),
        "silver": len(silver),
        "quarantined": len(refused),
        "duplicates": duplicates,
        "gold": len(baskets),
    }
    if counts["raw"] != counts["silver"] + counts["quarantined"] + counts["duplicates"]:
        raise RuntimeError(f"The rows don't add up: {counts}")
    (output / "manifest.json").write_text(json.dumps({"rows": counts}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
