"""Views of cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from retailops.cli.views.layout import title

Result = Mapping[str, Any]


def bill(console: Console, result: Result) -> None:
    title(console, f"${result['monthly_usd']:,.2f} a month", result["scenario"])
