"""A handful of transaction rows as a published CSV holds them, for tests that need to break one at a time."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from retailops.retail.columns import COLUMNS

HEADER = ",".join(
    "seg_1" if c == "CUST_PRICE_SENSITIVITY" else "seg_2" if c == "CUST_LIFESTAGE" else c for c in COLUMNS
)
MONDAYS = {200607: 20060410, 200608: 20060417, 200609: 20060424}


def row(basket: int = 1, product: int = 1, week: int = 200607, **changes: object) -> dict[str, str]:
    """One good row; `changes` by column name."""
    values = {
        "SHOP_WEEK": week,
        "SHOP_DATE": MONDAYS[week],
        "SHOP_WEEKDAY": 2,
        "SHOP_HOUR": 14,
        "QUANTITY": 1,
        "SPEND": f"{product}.15",
        "PROD_CODE": f"PRD{product:07d}",
        "PROD_CODE_10": f"CL{product % 7:05d}",
        "PROD_CODE_20": f"DEP{product % 3:05d}",
        "PROD_CODE_30": f"G{product % 2:05d}",
        "PROD_CODE_40": "D00002",
        "CUST_CODE": "CUST0000000042",
        "CUST_PRICE_SENSITIVITY": "BG",
        "CUST_LIFESTAGE": "DI",
        "BASKET_ID": 994_100_000_000_000 + basket,
        "BASKET_SIZE": "L",
        "BASKET_PRICE_SENSITIVITY": "MM",
        "BASKET_TYPE": "Top Up",
        "BASKET_DOMINANT_MISSION": "Fresh",
        "STORE_CODE": "STORE00001",
        "STORE_FORMAT": "LS",
        "STORE_REGION": "E02",
    }
    return {name: str(value) for name, value in (values | changes).items()}


def weeks(baskets: int = 6, lines: int = 4) -> list[dict[str, str]]:
    """Good rows of three weeks, in order."""
    return [
        row(number * 1000 + basket, product, week, STORE_REGION=f"E0{basket % 3 + 1}")
        for number, week in enumerate(MONDAYS)
        for basket in range(baskets)
        for product in range(1, lines + 1)
    ]


def text(rows: Iterable[dict[str, str]], header: str = HEADER, delimiter: str = ",") -> str:
    lines = [header, *(delimiter.join(each[name] for name in COLUMNS) for each in rows)]
    return "\n".join(lines) + "\n"


def write(path: Path, rows: Iterable[dict[str, str]], header: str = HEADER, delimiter: str = ",") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(rows, header, delimiter), encoding="utf-8")
    return path
