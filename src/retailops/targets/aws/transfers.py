"""Floor 4, aws: what sending to S3 and receiving from it share: addresses, a few threads, one count of the bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar

from retailops.errors import NotReady
from retailops.progress import Progress
from retailops.targets.aws.session import code_of, translated

THREADS = 4
METADATA = "sha256"  # where an object that we sent tells what it holds; its ETag says nothing once KMS encrypts it
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Address:
    """One object. `owner` is the account that its bucket must belong to."""

    bucket: str
    key: str
    owner: str

    @property
    def call(self) -> dict[str, Any]:
        """The parameters that every call about it begins with."""
        return {"Bucket": self.bucket, "Key": self.key, "ExpectedBucketOwner": self.owner}

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class Tally:
    """Bytes done, counted from several threads and told as one sum."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lock = Lock()
        self._done = 0

    def add(self, count: int) -> None:
        with self._lock:
            self._done += count
            self._progress.advance(self._done)


def abreast(work: Callable[[_Item], _Result], items: Iterable[_Item], threads: int = THREADS) -> list[_Result]:
    """The results in order, a few items at a time. The first failure, or Ctrl-C, ends what hasn't begun."""
    pool = ThreadPoolExecutor(threads)
    try:
        return list(pool.map(work, items))
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def asked(doing: str) -> Iterator[None]:
    """`translated`, and a bucket that isn't there has a reason of its own."""
    from botocore.exceptions import ClientError

    with translated(doing):
        try:
            yield
        except ClientError as problem:
            if code_of(problem) != "NoSuchBucket":
                raise
            raise NotReady(f"{doing}: its bucket isn't there.", "Build it first: retailops infra up") from problem
