"""Views of run, infra and teardown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from retailops.cli.views.layout import facts, gate_table, show, table, title, verdict

Result = Mapping[str, Any]


def summary(console: Console, result: Result) -> None:
    """The stages, the KPIs beside their gates, and the address to try."""
    stages = result.get("stages")
    if stages:
        made = table("stage", "", "seconds", "result", numbers=["seconds"])
        for stage in stages:
            seconds = stage.get("seconds")
            skipped = stage.get("skipped") or stage.get("reused")
            made.add_row(
                stage["name"],
                "– skipped" if skipped else verdict(stage.get("ok", True), "done", "failed"),
                "" if seconds is None else f"{seconds:.1f}",
                str(stage.get("summary", "")),
            )
        show(console, made)
    if result.get("gates"):
        show(console, gate_table(result["gates"]))
    endpoint = result.get("endpoint")
    if endpoint:
        console.print()
        title(console, f"Version {endpoint['version']} is live", endpoint["url"])
    if result.get("try"):
        console.print("try it:", style="dim")
        console.out(result["try"], highlight=False)


def built(console: Console, result: Result) -> None:
    title(console, "Infrastructure stands")
    facts(console, result)


def removed(console: Console, result: Result) -> None:
    """What went, and what an independent look still finds."""
    left = result.get("left", [])
    count = len(result.get("removed", []))
    console.print(
        verdict(not left, f"{count} removed, nothing left" if count else "Nothing was there", f"{len(left)} left")
    )
    if left:
        made = table("left", "name", "detail")
        for change in left:
            made.add_row(change["kind"], change["name"], change.get("detail", ""))
        show(console, made)
