"""Views of features ingest, list and show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from retailops.cli.views.layout import facts, number, show, table, title

Result = Mapping[str, Any]


def ingested(console: Console, result: Result) -> None:
    """What is live now, with counts that add up."""
    _counts(console, list(result["features"].items()))
    _rejections(console, result["features"], result["reasons"])


def groups(console: Console, result: Result) -> None:
    """The groups with their counts, what each holds, and why records weren't taken."""
    _counts(console, [(row["group"], row["live"]) for row in result["groups"]])
    console.print()
    facts(console, {row["group"]: [row["key"], *row["features"]] for row in result["groups"]})
    _rejections(console, {row["group"]: row["live"] or {} for row in result["groups"]}, result["reasons"])


def _counts(console: Console, rows: Sequence[tuple[str, Result | None]]) -> None:
    headings = ("online", "offline", "rejected")
    made = table("group", *headings, "version", "published", numbers=headings)
    for name, live in rows:
        if live is None:
            made.add_row(name, "", "", "", "not published", "")
            continue
        counts = (number(live["keys"]), number(live["written"]), number(sum(live["rejected"].values())))
        made.add_row(name, *counts, live["version"][:7], live["published"][5:16].replace("T", " "))
    show(console, made)


def _rejections(console: Console, live: Mapping[str, Result], reasons: Result) -> None:
    for name, each in live.items():
        for reason, count in each.get("rejected", {}).items():
            console.print(f"\n  {number(count)} records of {name} aren't taken: {reasons[reason]}.")


def record(console: Console, result: Result) -> None:
    """One record, and since when it has been so."""
    title(console, f"{result['group']} {result['key']}", f"known from {result['event_time'][:19]} UTC on")
    facts(console, result["features"])
