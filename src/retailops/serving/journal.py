"""The prediction log: one JSON line a basket in a file a day, written in batches: no request waits for a disk."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import queue
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec

from retailops.retail.predictor import Prediction, Scored
from retailops.serving.metrics import Metrics

LOG = logging.getLogger("retailops.serving")

_BATCH = 64  # records encoded in one go: a third of a millisecond
_WAITING = 512  # batches that may wait for the disk; what comes beyond is dropped and counted
FLUSH_S = 0.25


class Entry(msgspec.Struct, gc=False):
    """A basket that was answered."""

    time: str  # ISO 8601, UTC, milliseconds
    basket_id: str
    version: int
    prediction: str
    probabilities: dict[str, float]
    coverage: float
    features: list[float]
    latency_ms: float
    status: int


class Failure(msgspec.Struct, gc=False):
    """A request that was refused or failed; what it held isn't repeated."""

    time: str
    version: int
    route: str
    latency_ms: float
    status: int
    what: str


class Journal:
    """Appends to `<folder>/predictions-YYYYMMDD.jsonl`; files older than `retention_days` are removed."""

    def __init__(self, folder: Path, version: int, retention_days: int, metrics: Metrics) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._version = version
        self._metrics = metrics
        self._buffer: list[Entry | Failure] = []
        self._encoder = msgspec.json.Encoder()
        self._clock = _Clock()
        self._queue: queue.Queue[tuple[bytes, int] | None] = queue.Queue(_WAITING)
        self._disk = _Disk(folder, retention_days)
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    def predicted(self, scored: Scored, seconds: float) -> None:
        found: Prediction = scored.prediction
        self._add(
            Entry(
                self._clock.now(),
                found.basket_id,
                self._version,
                found.prediction,
                found.probabilities,
                found.coverage,
                scored.features,
                round(seconds * 1000, 3),
                200,
            )
        )

    def failed(self, route: str, status: int, what: str, seconds: float) -> None:
        self._add(Failure(self._clock.now(), self._version, route, round(seconds * 1000, 3), status, what))

    def _add(self, record: Entry | Failure) -> None:
        self._buffer.append(record)
        if len(self._buffer) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Hand what is buffered to the writer. Called by the event loop, at least every FLUSH_S."""
        records, self._buffer = self._buffer, []
        if not records:
            return
        try:
            self._queue.put_nowait((self._encoder.encode_lines(records), len(records)))
        except queue.Full:
            self._metrics.dropped += len(records)

    def close(self) -> None:
        """Write everything that is left; gives up on a disk that doesn't answer within 5 s."""
        self.flush()
        with contextlib.suppress(queue.Full):
            self._queue.put(None, timeout=5)
        self._thread.join(timeout=5)

    def _write(self) -> None:
        while (item := self._queue.get()) is not None:
            lines, count = item
            try:
                self._disk.append(lines)
            except OSError as error:
                self._metrics.dropped += count
                LOG.warning("The prediction log can't be written: %s", error)
        self._disk.close()


class _Disk:
    """The file of today; only the writer's thread touches it."""

    def __init__(self, folder: Path, retention_days: int) -> None:
        self._folder = folder
        self._retention = timedelta(days=retention_days)
        self._day: date | None = None
        self._file = -1

    def append(self, lines: bytes) -> None:
        today = datetime.now(UTC).date()
        if today != self._day:
            self.close()
            self._file = self._open(today)
            self._day = today
            self._forget(today)
        view = memoryview(lines)
        try:
            with _alone(self._file):
                while view:
                    view = view[os.write(self._file, view) :]
        except OSError:
            self.close()  # the next append looks whether a half line was left
            raise

    def _open(self, day: date) -> int:
        path = self._folder / f"predictions-{day:%Y%m%d}.jsonl"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        with _alone(file):
            size = os.fstat(file).st_size
            if size and os.pread(file, 1, size - 1) != b"\n":  # a killed server left half a line: don't glue ours to it
                os.write(file, b"\n")
        return file

    def _forget(self, today: date) -> None:
        oldest = f"predictions-{today - self._retention:%Y%m%d}.jsonl"
        for path in self._folder.glob("predictions-*.jsonl"):
            if path.name < oldest:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file, self._day = -1, None


@contextlib.contextmanager
def _alone(file: int) -> Iterator[None]:
    """Nobody else appends meanwhile: a file's size shows another server's write while it is still under way."""
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


class _Clock:
    """Now in ISO 8601, UTC, milliseconds; the part down to the second is made once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._prefix = ""

    def now(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
        return f"{self._prefix}{int((now - second) * 1000):03d}Z"
