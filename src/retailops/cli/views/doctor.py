"""Views of doctor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from retailops.cli.views.layout import show, table, verdict

Result = Mapping[str, Any]

_MARKS = {
    "ok": ("✔ ok", "green"),
    "warning": ("! warning", "yellow"),
    "failed": ("✘ FAILED", "bold red"),
    "skipped": ("– skipped", "dim"),
}
_LINES = 8  # of one finding; the others are in --json


def findings(console: Console, result: Result) -> None:
    """A line a finding, its fix below it; then the count."""
    made = table("", "check", "found")
    for finding in result["findings"]:
        made.add_row(Text(*_MARKS[finding["state"]]), finding["check"], _found(finding))
    show(console, made)
    console.print()
    failed, count = result["failed"], result["warnings"]
    warnings = f"{count} warning{'' if count == 1 else 's'}"
    console.print(verdict(not failed, f"ready, {warnings}", f"{failed} failed, {warnings}"))


def policy(console: Console, result: Result) -> None:
    """The document as a cloud takes it, and nothing else."""
    console.out(json.dumps(result, indent=2), highlight=False)


def _found(finding: Mapping[str, Any]) -> Text:
    lines = finding["what"].splitlines()
    shown = lines[:_LINES]
    if len(lines) > _LINES:
        shown.append(f"… and {len(lines) - _LINES} more: retailops doctor --json")
    text = Text("\n".join(shown), overflow="fold", style="dim" if finding["state"] == "skipped" else "")
    if finding["fix"]:
        text.append(f"\n→ {finding['fix']}", style="cyan")
    return text
