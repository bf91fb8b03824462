"""One call of a command: its flags, and config, target and progress, each made when first asked for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from retailops.cli.flags import Flags, values
from retailops.cli.progress import Opened
from retailops.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from retailops.config import Config
    from retailops.ports import Change, Target, Terms


class Call:
    """What a command's body gets besides its own arguments."""

    def __init__(self, command: str, flags: Flags) -> None:
        self.command = command
        self.flags = flags
        self.progress = Opened(quiet=flags.quiet)
        self.target_name: str | None = None  # known as soon as retail.yaml is read

    @cached_property
    def config(self) -> Config:
        """retail.yaml with the environment and the flags over it. ConfigError when it is wrong."""
        from retailops import config, targets
        from retailops.retail import algorithms

        loaded = config.load(
            self.flags.config,
            targets=targets.settings(),
            algorithms=algorithms.NAMES,
            overrides=values(self.flags),
        )
        self.target_name = loaded.target
        return loaded

    @cached_property
    def target(self) -> Target:
        """The opened target. Unsupported when this version has none of that name."""
        from retailops import targets

        return targets.open_target(self.config)

    def confirm_build(self, terms: Terms, allow_over_budget: bool = False) -> None:
        """Refuse what is over the budget; show the plan with its price, and ask. What is free needs no question."""
        from retailops.cli.views.infra import kinds
        from retailops.lifecycle import cost, infra

        infra.afford(self.target, allow_over_budget)
        estimate = cost.estimate(self.target)
        if self.flags.yes or not estimate.monthly_usd:
            return
        self._needs_terminal()
        changes = infra.planned(self.target, terms, self.progress)
        if changes:
            self._print("To be done:", kinds(changes))
            self.confirm(f"All of it costs about ${estimate.monthly_usd:,.2f} a month ({estimate.scenario}). Go on?")

    def confirm_paid(self, changes: Sequence[Change]) -> None:
        """Show what will be paid for from now on, and ask. What is free needs no question."""
        from retailops.cli.views.layout import change_table

        monthly = sum(change.monthly_usd for change in changes)
        if self.flags.yes or not monthly:
            return
        self._needs_terminal()
        self._print("To be done:", change_table(changes))
        self.confirm(f"That costs about ${monthly:,.2f} a month, used or not. Go on?")

    def confirm(self, question: str) -> None:
        """Ask a question that is answered with y or n; --yes answers it."""
        if self.flags.yes:
            return
        self.progress.close()
        if self._ask(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
            raise UsageError("Nothing was done.", "Answer y, or add --yes.")

    def confirm_removal(self, changes: Sequence[Change]) -> None:
        """List what will be removed and have the project's name typed; nothing to remove needs no question."""
        from retailops.cli.views.layout import change_table

        if not changes or self.flags.yes:
            return
        self._print("To be removed:", change_table(changes))
        name = self.config.project.name
        if self._ask(f"Type the project's name ({name}) to remove all of it: ").strip() != name:
            raise UsageError("Nothing was removed: the name typed isn't the project's.", f"Type {name}, or add --yes.")

    def _print(self, title: str, content: Table) -> None:
        from retailops.cli.output import screen

        self.progress.close()
        console = screen(stderr=True)
        console.print(title)
        console.print(content)

    def _needs_terminal(self) -> None:
        if not sys.stdin.isatty():
            raise UsageError(
                f"`retailops {self.command}` asks before it goes on, and there is no terminal to ask on.",
                "Add --yes to answer with yes.",
            )

    def _ask(self, question: str) -> str:
        self._needs_terminal()
        sys.stderr.write(question)
        sys.stderr.flush()
        answer = sys.stdin.readline()
        if not answer:
            raise Interrupted("No answer.", "Nothing was done.")
        return answer
