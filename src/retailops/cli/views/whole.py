"""Views of run and teardown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from retailops.cli.views import live
from retailops.cli.views.layout import gate_table, show, table, verdict

Result = Mapping[str, Any]


def summary(console: Console, result: Result) -> None:
    """The stages, the KPIs beside their gates, and the address to try."""
    made = table("stage", "", "seconds", numbers=["seconds"])
    for row in result["stages"]:
        state = Text("– unchanged", style="dim") if row["skipped"] else verdict(row["ok"], "done", "FAILED")
        made.add_row(row["stage"], state, f"{row['seconds']:.1f}")
    made.add_section()
    made.add_row("in all", "", f"{result['seconds']:.1f}", style="dim")
    show(console, made)
    if result["gates"]:
        show(console, gate_table(result["gates"]))
    if "deploy" in result:
        console.print()
        live.address(console, result["deploy"]["endpoint"], result.get("request"))


def removed(console: Console, result: Result) -> None:
    """What went, and what an independent look still finds."""
    left = result["left"]
    gone = f"{result['removed']} removed, nothing is left" if result["removed"] else "nothing was there"
    console.print(verdict(not left, gone, f"{result['removed']} removed, {len(left)} left"))
    for name in left:
        console.print(f"  {name}", soft_wrap=True)
