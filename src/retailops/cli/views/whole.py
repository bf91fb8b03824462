"""Views of run and teardown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
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
    if "deploy" in result and result["deploy"]["endpoint"]:
        console.print()
        live.address(console, result["deploy"]["endpoint"], result.get("request"))


def spared(console: Console, result: Result) -> None:
    """Why nothing was removed."""
    expires = result["expires"]
    console.print(verdict(True, f"not expired until {expires}" if expires else "it never expires; nothing was removed"))


def removed(console: Console, result: Result) -> None:
    """What went, what was kept, and what an independent look still finds, with the command that removes it."""
    left, kept = result["left"], result["kept"]
    gone = f"{result['removed']} removed, nothing is left" if result["removed"] else "nothing was there"
    console.print(verdict(not left, gone, f"{result['removed']} removed, {len(left)} left"))
    if kept:
        console.print(f"  kept, about ${result['kept_monthly_usd']:,.2f} a month:")
        show(console, _things(kept))
    if left:
        show(console, _things(left, result["left_monthly_usd"]))
    commands = [row["fix"] for row in left if row["fix"]]
    if commands:
        console.print("\nTo remove what stays by hand:")
    for command in commands:
        console.print(f"  {command}", soft_wrap=True)


def _things(rows: Sequence[Mapping[str, Any]], total: float | None = None) -> Table:
    """Kind and name, with a price where anything has one."""
    priced = any(row["monthly_usd"] != 0 for row in rows)
    made = table("kind", "name", *(["$/month"] if priced else []), numbers=["$/month"])
    for row in rows:
        price = [money(row["monthly_usd"])] if priced else []
        made.add_row(row["kind"], Text(row["name"], overflow="fold"), *price)
    if priced and total is not None:
        made.add_section()
        made.add_row("in all", "", money(total), style="dim")
    return made


def money(usd: float | None) -> str:
    return "unknown" if usd is None else f"{usd:,.2f}"
