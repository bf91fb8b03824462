"""Views of data synth and etl."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from retailops.cli.views.layout import facts, number, show, table, title, verdict

Result = Mapping[str, Any]


def written(console: Console, result: Result) -> None:
    """What the generator wrote."""
    title(console, "Synthetic data", str(result["output"]))
    facts(
        console, {name: value for name, value in result.items() if isinstance(value, int | float)} | result["options"]
    )


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
