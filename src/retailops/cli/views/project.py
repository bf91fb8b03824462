"""Views of init and config."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from retailops.cli.views.layout import show, table, title, verdict

Result = Mapping[str, Any]


def written(console: Console, result: Result) -> None:
    title(console, f"Wrote {result['path']}", "it runs as it is, on synthetic data")


def valid(console: Console, result: Result) -> None:
    console.print(
        Text.assemble(verdict(True, result["path"]), (f"  {result['keys']} settings, target {result['target']}", "dim"))
    )


def settings(console: Console, result: Result) -> None:
    """Key, value and origin; what isn't a default stands out."""
    title(console, str(result["path"]))
    made = table("setting", "value", "from")
    for key, entry in result["settings"].items():
        default = entry["origin"] == "default"
        value = Text(json.dumps(entry["value"], default=str), overflow="fold")
        made.add_row(key, value, Text(entry["origin"], style="dim" if default else "cyan"))
    show(console, made)


def schema(console: Console, result: Result) -> None:
    console.out(json.dumps(result, indent=2), highlight=False)
