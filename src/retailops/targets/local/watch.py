"""Floor 4, local: reading back what the server logged about its answers."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

# Around a change of versions two servers write to one file, each in batches: lines are out of order by less than this.
_WINDOW = 8192


class LocalWatch:
    """workspace/serving/logs/predictions-YYYYMMDD.jsonl: one JSON object a line, with "time" in ISO 8601, UTC.

    `unreadable` counts the lines that the last reading had to leave out, such as one that a killed server half wrote.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.unreadable = 0

    def predictions(self, hours: float) -> Iterator[dict[str, Any]]:
        """Stream the lines of the last `hours`, oldest first; a few thousand are in memory at a time."""
        self.unreadable = 0
        since = datetime.now(UTC) - timedelta(hours=hours)
        waiting: list[tuple[datetime, int, dict[str, Any]]] = []
        for number, (time, line) in enumerate(self._lines(since)):
            heapq.heappush(waiting, (time, number, line))
            if len(waiting) > _WINDOW:
                yield heapq.heappop(waiting)[2]
        while waiting:
            yield heapq.heappop(waiting)[2]

    def _lines(self, since: datetime) -> Iterator[tuple[datetime, dict[str, Any]]]:
        decode = msgspec.json.Decoder(dict[str, Any]).decode
        # A file is named by the day its server opened it: look one day further back than asked.
        oldest = f"predictions-{since - timedelta(days=1):%Y%m%d}.jsonl"
        for path in sorted(self._folder.glob("predictions-*.jsonl")):
            if path.name < oldest:
                continue
            with path.open("rb") as file:
                for text in file:
                    try:
                        line = decode(text)
                        time = datetime.fromisoformat(line["time"])
                        recent = time >= since
                    except (msgspec.MsgspecError, KeyError, TypeError, ValueError):
                        self.unreadable += 1
                        continue
                    if recent:
                        yield time, line
