"""View of status: what stands, from data to endpoint, and what isn't as it seems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from retailops.cli.views.layout import facts, feature_counts, number, show, table, title, verdict

Result = Mapping[str, Any]
_ELSEWHERE = ("project", "features", "endpoint", "served_before", "findings")


def status(console: Console, result: Result) -> None:
    title(console, result["project"])
    rows = {name.replace("_", " "): value for name, value in result.items() if name not in _ELSEWHERE}
    rows["features"] = feature_counts(result["features"])
    facts(console, rows)
    console.print()
    if not result["endpoint"]:
        console.print("  Nothing is deployed.")
        return
    _endpoint(console, result["endpoint"], result["served_before"])
    _findings(console, result["findings"])


def _endpoint(console: Console, endpoint: Result, before: Sequence[Result]) -> None:
    scaling = endpoint.get("scaling")
    facts(
        console,
        {
            "endpoint": verdict(endpoint["state"] == "ready", endpoint["state"], endpoint["state"]),
            "version": endpoint["version"] or None,
            "url": endpoint["url"],
            "address": endpoint.get("address"),
            "reach": endpoint.get("reach"),
            "since": endpoint["since"],
            "before": ", ".join(f"version {each['version']}" for each in reversed(before[-5:])),
            "instance": endpoint.get("instance"),
            "instances": endpoint.get("instances"),
            "pods": _scaling(scaling) if scaling else None,
            "machines": endpoint.get("machines"),
            "why": endpoint.get("why"),
        },
    )
    if endpoint.get("pods"):
        show(console, pods_table(endpoint["pods"]))


def _scaling(scaling: Result) -> str:
    """What the autoscaler has, wants and goes by; it doesn't know its load at first."""
    load = scaling["cpu_percent"]
    cpu = f"; CPU {number(load)} %, more from {number(scaling['cpu_target_percent'])} % on" if load is not None else ""
    wants = scaling["desired"] if scaling["desired"] != scaling["current"] else None
    return (
        f"{number(scaling['current'])} of {scaling['min']} to {scaling['max']}"
        f"{f', {wants} wanted' if wants else ''}{cpu}"
    )


def pods_table(pods: Sequence[Result]) -> Table:
    """A row a pod, as a cluster has them."""
    made = table("pod", "version", "is", "restarts", "zone", numbers=["version", "restarts"])
    made.columns[0].no_wrap = True  # it is copied into other commands
    for each in pods:
        where = each["zone"] or each["node"].partition(".")[0]  # a host's name, without its domain
        made.add_row(each["pod"], number(each["version"]), each["step"], number(each["restarts"]), where)
    return made


def _findings(console: Console, findings: Sequence[Result]) -> None:
    for each in findings:
        mark = ("✘", "bold red") if each["state"] == "failed" else ("!", "yellow")
        console.print()
        console.print(Text.assemble("  ", (mark[0], mark[1]), f" {each['what']}"), soft_wrap=True)
        console.print(Text(f"    → {each['fix']}", style="cyan"), soft_wrap=True)
