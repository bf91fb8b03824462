"""Floor 4, aws: one object on its way to this disk: whole and verified, or not there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from retailops import files
from retailops.errors import TargetFailed
from retailops.targets.aws.transfers import METADATA, Address, asked

_BLOCK = 1 << 20
_TRIES = 4  # the SDK tries calls again by itself, but not a body that breaks off


def receive(s3: Any, address: Address, tag: str, path: Path, advance: Callable[[int], None]) -> None:
    """Put the object with this ETag at `path`. TargetFailed when its content isn't what was sent there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with asked(f"Downloading {address}"), files.replacing(path) as temporary, temporary.open("w+b") as file:
        for tries_left in reversed(range(_TRIES)):
            if _received(s3, address, tag, file, last=tries_left == 0):
                break
        else:
            raise TargetFailed(
                f"{address} doesn't have the checksum that it was stored with, {_TRIES} times over.",
                "Run this again. If it stays, the object is damaged: make it anew with the step that wrote it.",
            )
    advance(path.stat().st_size)


def _received(s3: Any, address: Address, tag: str, file: IO[bytes], *, last: bool) -> bool:
    """Whether a try brought the whole object, with its checksum. The last one tells why it didn't."""
    from botocore.exceptions import BotoCoreError

    # Checksums that S3 knows for the whole object are verified by the SDK, those of our own uploads here.
    told = s3.get_object(**address.call, IfMatch=tag, ChecksumMode="ENABLED")
    file.seek(0)
    file.truncate()
    digest = hashlib.sha256()
    try:
        for block in told["Body"].iter_chunks(_BLOCK):
            digest.update(block)
            file.write(block)
    except BotoCoreError:
        if last:
            raise
        return False
    return str(told["Metadata"].get(METADATA, digest.hexdigest())) == digest.hexdigest()
