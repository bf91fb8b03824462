"""Views of data synth, data query and etl."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from retailops.cli.views.layout import DASH, facts, number, show, table, title, verdict

Result = Mapping[str, Any]


def written(console: Console, result: Result) -> None:
    """What the generator wrote."""
    title(console, "Synthetic data", str(result["output"]))
    facts(
        console, {name: value for name, value in result.items() if isinstance(value, int | float)} | result["options"]
    )


def answer(console: Console, result: Result) -> None:
    """The rows, and what it took to find them."""
    columns, rows = result["columns"], result["rows"]
    numeric = {
        name for at, name in enumerate(columns) if rows and all(isinstance(row[at], int | float) for row in rows)
    }
    made = table(*columns, numbers=numeric)
    for row in rows:
        made.add_row(*(DASH if value is None else str(value) for value in row))  # as they are: ids aren't amounts
    show(console, made)
    console.print()
    more = "; there are more: --limit N" if result["cut"] else ""
    told = f"{len(rows):,} row{'' if len(rows) == 1 else 's'}{more}"
    facts(console, {"rows": told, "dataset": result["dataset"], "scanned": _scanned(result)})


def _scanned(result: Result) -> str | None:
    if result["scanned_bytes"] is None:
        return None
    price = "no price is known" if result["usd"] is None else f"${result['usd']:.6f}"
    return f"{result['scanned_bytes']:,} bytes, {price}"


def as_csv(console: Console, result: Result) -> None:
    """The rows as they are, for another program; an empty field is NULL."""
    rows = csv.writer(console.file, lineterminator="\n")
    rows.writerow(result["columns"])
    rows.writerows(result["rows"])


def dataset(console: Console, result: Result) -> None:
    """Counts that reconcile to the row, and why rows were put aside."""
    rows = result["rows"]
    title(console, f"Dataset {result['dataset']}", "nothing changed: made before" if result.get("reused") else "")
    made = table("rows", "count", "", numbers=["count"])
    made.add_row("raw", number(rows["raw"]), "as read")
    made.add_row("  silver", number(rows["silver"]), "typed, checked, no duplicates")
    made.add_row("  quarantined", number(rows["quarantined"]), "break the contract")
    made.add_row("  duplicates", number(rows["duplicates"]), "the same line again")
    made.add_row("gold", number(rows["gold"]), "baskets with features")
    show(console, made)
    console.print()
    console.print(Text.assemble("  ", verdict(*_sum(rows))))
    if result.get("reasons"):
        _reasons(console, result)


def _sum(rows: Mapping[str, int]) -> tuple[bool, str, str]:
    total = rows["silver"] + rows["quarantined"] + rows["duplicates"]
    words = "raw = silver + quarantined + duplicates"
    return total == rows["raw"], words, f"{words} does NOT hold: {total - rows['raw']:+,} rows"


def _reasons(console: Console, result: Result) -> None:
    made = table("quarantined because", "rows", numbers=["rows"])
    for reason, count in sorted(result["reasons"].items(), key=lambda item: -item[1]):
        made.add_row(reason, number(count))
    show(console, made)
    facts(console, {"see": result.get("quarantine")})
