"""Views of doctor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

Result = Mapping[str, Any]


def findings(console: Console, result: Result) -> None:
    for finding in result["findings"]:
        console.print(f"{finding['state']}  {finding['check']}  {finding['what']}", soft_wrap=True)
