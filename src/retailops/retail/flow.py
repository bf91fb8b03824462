"""Two small pieces of a pipeline: a generator that runs ahead of its reader, and a writer that runs behind."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self, TypeVar

T = TypeVar("T")


def ahead(items: Iterator[T], depth: int) -> Iterator[T]:
    """The same items in the same order, `depth` of them made in advance by one other thread."""
    end = object()
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[Future[Any]] = deque(pool.submit(next, items, end) for _ in range(depth))
        try:
            while (item := waiting.popleft().result()) is not end:
                waiting.append(pool.submit(next, items, end))
                yield item
        finally:
            pool.shutdown(cancel_futures=True)


class Behind:
    """One thread that carries out calls in order, at most one behind; an error shows at the next call or the end."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._last: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def submit(self, call: Callable[..., None], *arguments: Any) -> None:
        if self._last:
            self._last.result()
        self._last = self._pool.submit(call, *arguments)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._pool.shutdown()
        if self._last and kind is None:
            self._last.result()
