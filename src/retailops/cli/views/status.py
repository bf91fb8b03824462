"""View of status: what stands, from data to endpoint, and what isn't as it seems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from retailops.cli.views.layout import facts, feature_counts, title, verdict

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
    facts(
        console,
        {
            "endpoint": verdict(endpoint["state"] == "ready", endpoint["state"], endpoint["state"]),
            "version": endpoint["version"],
            "url": endpoint["url"],
            "since": endpoint["since"],
            "before": ", ".join(f"version {each['version']}" for each in reversed(before[-5:])),
        },
    )


def _findings(console: Console, findings: Sequence[Result]) -> None:
    for each in findings:
        mark = ("✘", "bold red") if each["state"] == "failed" else ("!", "yellow")
        console.print()
        console.print(Text.assemble("  ", (mark[0], mark[1]), f" {each['what']}"), soft_wrap=True)
        console.print(Text(f"    → {each['fix']}", style="cyan"), soft_wrap=True)
