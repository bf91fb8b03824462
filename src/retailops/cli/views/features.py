"""Views of features list and show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from retailops.cli.views.layout import facts, number, show, table, title

Result = Mapping[str, Any]


def groups(console: Console, result: Result) -> None:
    """The groups with their counts, what each holds, and why records weren't taken."""
    headings = ("online", "offline", "rejected")
    made = table("group", *headings, "version", "published", numbers=headings)
    for row in result["groups"]:
        live = row["live"]
        if live is None:
            made.add_row(row["group"], "", "", "", "not published", "")
            continue
        rejected = sum(live["rejected"].values())
        counts = (number(live["keys"]), number(live["written"]), number(rejected))
        made.add_row(row["group"], *counts, live["version"][:7], live["published"][5:16].replace("T", " "))
    show(console, made)
    console.print()
    facts(console, {row["group"]: [row["key"], *row["features"]] for row in result["groups"]})
    for row in result["groups"]:
        for reason, count in (row["live"] or {}).get("rejected", {}).items():
            console.print(f"\n  {number(count)} records of {row['group']} aren't taken: {result['reasons'][reason]}.")


def record(console: Console, result: Result) -> None:
    """One record, and since when it has been so."""
    title(console, f"{result['group']} {result['key']}", f"known from {result['event_time'][:19]} UTC on")
    facts(console, result["features"])
