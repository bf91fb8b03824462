"""What a command hands back to whoever called it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from retailops.errors import RetailOpsError
from retailops.ports import Change


@dataclass(frozen=True)
class Outcome:
    """`result` is what --json prints and what the screen renders.

    `failed` is set when there is a result to show although a gate was missed; the command then ends with its exit code.
    """

    result: dict[str, Any]
    changes: tuple[Change, ...] = ()
    failed: RetailOpsError | None = field(default=None)
