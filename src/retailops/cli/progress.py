"""Progress on stderr: a live bar on a terminal, one plain line a stage elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Protocol, Self

from retailops.progress import Silent

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID


def sentence(text: str) -> str:
    """The domain's words with a capital in front, whoever wrote them."""
    return text[:1].upper() + text[1:]


class Watcher(Protocol):
    """A `retailops.progress.Progress` that has to be closed before anything else is written."""

    def stage(self, text: str, total: int | None = None, unit: str = "") -> None: ...

    def advance(self, done: int, doing: str = "") -> None: ...

    def note(self, text: str) -> None: ...

    def close(self, ok: bool = True) -> None: ...


class Quiet(Silent):
    """Nobody watches."""

    def close(self, ok: bool = True) -> None:
        return None


SIGN_OF_LIFE = 60.0  # seconds of silence after which a log is told what is waited for


class Lines:
    """For logs and pipes: a line when a stage begins, a line for a note, and for a long wait a line a minute."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def stage(self, text: str, total: int | None = None, unit: str = "") -> None:
        self._write(sentence(text))

    def advance(self, done: int, doing: str = "") -> None:
        if doing and time.monotonic() - self._told > SIGN_OF_LIFE:
            self._write(f"  … {doing}")

    def note(self, text: str) -> None:
        self._write(f"  {text}")

    def close(self, ok: bool = True) -> None:
        return None

    def _write(self, text: str) -> None:
        self._told = time.monotonic()
        # A reader of our progress who went away is no reason to stop the work.
        try:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()
        except OSError:
            return


INSTANT = 0.05  # seconds: a stage without progress that was over sooner isn't worth a line


class Live:
    """For a person at a terminal: the current stage with bar and clock, finished stages above it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._console = Console(stderr=True, highlight=False, emoji=False)
        self._bars: Bars = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[amount]}", style="dim", markup=False),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._text = ""
        self._unit = ""
        self._total: int | None = None
        self._began = 0.0
        self._advanced = False
        self._notes: list[str] = []  # told below the stage that they belong to, once it is finished
        self._bars.start()

    def stage(self, text: str, total: int | None = None, unit: str = "") -> None:
        self._finish(ok=True)
        self._text, self._unit, self._total, self._began = sentence(text), unit, total, time.monotonic()
        self._advanced = False
        self._task = self._bars.add_task(self._text, total=total, amount=self._amount(0))

    def advance(self, done: int, doing: str = "") -> None:
        if self._task is not None:
            self._advanced = True
            amount = f"{self._amount(done)} · {doing}" if doing else self._amount(done)
            self._bars.update(self._task, completed=done, amount=_short(amount))
            if doing:  # a stage that tells what it waits for is long: its notes don't wait for its end
                self._tell_notes()

    def note(self, text: str) -> None:
        self._notes.append(text)
        if self._task is None:
            self._tell_notes()

    def close(self, ok: bool = True) -> None:
        self._finish(ok=ok)
        self._bars.stop()

    def _amount(self, done: int) -> str:
        if self._unit == "bytes":
            return f"{done / 1e6:.1f}/{self._total / 1e6:.1f} MB" if self._total else ""
        if self._total is None:
            return f"{done:,} {self._unit}".strip() if done else ""
        return f"{done:,}/{self._total:,} {self._unit}".strip()

    def _tell_notes(self) -> None:
        from rich.text import Text

        for text in self._notes:
            self._console.print(Text(f"  {text}", style="dim"), soft_wrap=True)
        self._notes.clear()

    def _finish(self, *, ok: bool) -> None:
        from rich.text import Text

        if self._task is None:
            return
        self._bars.remove_task(self._task)
        self._task = None
        seconds = time.monotonic() - self._began
        if seconds > INSTANT or self._advanced or not ok:
            mark = Text("✔ ", style="green") if ok else Text("✘ ", style="red")
            self._console.print(Text.assemble(mark, self._text, (f"  {seconds:.1f} s", "dim")), soft_wrap=True)
        self._tell_notes()


def _short(text: str, most: int = 44) -> str:
    """What fits beside the bar on 80 columns."""
    return text if len(text) <= most else text[: most - 1] + "…"


class Opened:
    """Opens the right watcher at the first call, so that a command without progress leaves no trace of one."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._watcher: Watcher | None = None

    def _open(self) -> Watcher:
        if self._watcher is None:
            self._watcher = Quiet() if self._quiet else Live() if sys.stderr.isatty() else Lines()
        return self._watcher

    def stage(self, text: str, total: int | None = None, unit: str = "") -> None:
        self._open().stage(text, total, unit)

    def advance(self, done: int, doing: str = "") -> None:
        self._open().advance(done, doing)

    def note(self, text: str) -> None:
        self._open().note(text)

    def close(self, ok: bool = True) -> None:
        """Leave the terminal clean. Progress that comes later opens a new watcher."""
        if self._watcher is not None:
            self._watcher.close(ok)
            self._watcher = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close(ok=problem[0] is None)
