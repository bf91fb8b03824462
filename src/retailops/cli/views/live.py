"""Views of deploy, serve, status, monitor and logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from retailops.cli.views.layout import facts, gate_table, number, show, table, title, verdict

Result = Mapping[str, Any]


def deployed(console: Console, result: Result) -> None:
    """The address, and the proof that it answers as it should."""
    endpoint = result["endpoint"]
    title(console, f"Version {endpoint['version']} is live", endpoint["url"])
    if result.get("gates"):
        show(console, gate_table(result["gates"]))
    _curl(console, result)


def served(console: Console, result: Result) -> None:
    title(console, f"Version {result['version']} was served", result["url"])


def status(console: Console, result: Result) -> None:
    """What stands, from data to endpoint."""
    endpoint = result.get("endpoint")
    if endpoint:
        state = endpoint.get("state", "ready")
        console.print(
            Text.assemble(
                verdict(state == "ready", state, state), f"  version {endpoint['version']}  {endpoint['url']}"
            )
        )
    else:
        console.print("Nothing is deployed.")
    facts(
        console,
        {name: value for name, value in result.items() if name != "endpoint" and not isinstance(value, Mapping)},
    )
    for name, value in result.items():
        if name != "endpoint" and isinstance(value, Mapping):
            title(console, name)
            facts(console, value)


def monitored(console: Console, result: Result) -> None:
    """The window's readings beside their gates, then drift."""
    title(console, "Monitor", f"last {number(result.get('hours'))} hours" if result.get("hours") else "")
    if result.get("gates"):
        show(console, gate_table(result["gates"]))
    readings = {name: value for name, value in result.items() if isinstance(value, int | float | str)}
    facts(console, {name: value for name, value in readings.items() if name not in ("hours", "report")})
    drift = result.get("drift")
    if drift:
        made = table("what drifts", "PSI", numbers=["PSI"])
        for name, value in sorted(drift.items(), key=lambda item: -(item[1] or 0))[:8]:
            made.add_row(name, number(value))
        show(console, made)
    facts(console, {"report": result.get("report")})


def lines(console: Console, result: Result) -> None:
    for line in result["lines"]:
        console.out(line, highlight=False)


def _curl(console: Console, result: Result) -> None:
    if result.get("try"):
        console.print()
        console.print("try it:", style="dim")
        console.out(result["try"], highlight=False)
