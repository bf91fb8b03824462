"""Floor 0: how long work tells of itself. The domain reports, whoever called decides whether anyone sees it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Three calls, none of which may fail or block. Calling them more often than needed is fine."""

    def stage(self, text: str, total: int | None = None, unit: str = "") -> None:
        """A new step begins; `total` units are expected, None when that can't be known."""

    def advance(self, done: int, doing: str = "") -> None:
        """`done` units of the current step are finished, counted from its start; `doing` is what it waits for."""

    def note(self, text: str) -> None:
        """One line worth keeping on the screen."""


class Silent:
    """The null object: nobody watches."""

    def stage(self, text: str, total: int | None = None, unit: str = "") -> None:
        return None

    def advance(self, done: int, doing: str = "") -> None:
        return None

    def note(self, text: str) -> None:
        return None


SILENT = Silent()
