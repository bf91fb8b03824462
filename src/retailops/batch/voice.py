"""What the pods of a Job say, as it grows: events become progress, the rest is kept in a log on this machine."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from retailops import events
from retailops.batch.agreed import CONTAINER
from retailops.errors import RetailOpsError
from retailops.progress import Progress
from retailops.tools.kube import Space

_FRACTION = re.compile(r"\.\d+")
_KEPT = 400  # lines of the log that the search for last words goes through


class Voice:
    """One pod. Each line is passed on once, whatever breaks on the way: it is known by the moment of its writing."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._at = ""  # the newest line's moment, and the lines of that moment
        self._then: Counter[str] = Counter()
        self._tail: list[str] = []
        self.error: RetailOpsError | None = None  # what the worker reported, if it did

    def pass_on(self, space: Space, pod: str, progress: Progress) -> None:
        fresh = self._fresh(space.log(pod, CONTAINER, _second(self._at)))
        if not fresh:
            return
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("a", encoding="utf-8") as log:
            for line in fresh:
                try:
                    self.error = events.pass_on(line, progress) or self.error
                except events.NotAnEvent:
                    log.write(f"{line}\n")
                    self._tail = [*self._tail[-_KEPT:], line]

    def last_words(self) -> list[str]:
        return events.last_words(self._tail)

    def _fresh(self, lines: list[str]) -> list[str]:
        """The lines that weren't there before: the API is asked by the second, and answers by the nanosecond."""
        found, seen = [], Counter(self._then)
        for moment, _, line in (each.partition(" ") for each in lines):
            if _sortable(moment) < _sortable(self._at):
                continue
            if moment != self._at:
                self._at, self._then, seen = moment, Counter(), Counter()
            elif seen[line] > 0:
                seen[line] -= 1
                continue
            self._then[line] += 1
            found.append(line)
        return found


def _second(moment: str) -> str:
    """2026-11-26T05:00:01.123456789Z → 2026-11-26T05:00:01Z; a node may write its own zone instead of Z."""
    return _FRACTION.sub("", moment)


def _sortable(moment: str) -> str:
    """Zeros at the end may be left out, so that 01.5Z comes after 01.25Z."""
    found = _FRACTION.search(moment)
    return f"{_FRACTION.sub('', moment)[:19]}{found[0] if found else '.':0<10}" if moment else ""
