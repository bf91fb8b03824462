"""Floor 4, aws: one file on its way to S3, in parts that S3 verifies one by one; what was cut short goes on."""

from __future__ import annotations

import base64
import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retailops import files
from retailops.errors import DataError, TargetFailed
from retailops.targets.aws.session import code_of
from retailops.targets.aws.transfers import METADATA, THREADS, Address, asked

PART = 8 << 20  # bytes; memory is bounded by a few of them
_MOST_PARTS = 10_000  # S3's limit
_MB = 1 << 20
_SHA256 = "SHA256"


@dataclass(frozen=True)
class Local:
    """A file as it was hashed."""

    path: Path
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Sent:
    """An object that S3 has now, and the version that it gave it."""

    path: Path
    bytes: int
    sha256: str
    version: str


class Upload:
    """`record` is where the id of an upload in parts is kept until it is finished; `advance` hears of bytes done."""

    def __init__(self, s3: Any, local: Local, address: Address, record: Path, advance: Callable[[int], None]) -> None:
        self._s3 = s3
        self._local = local
        self._address = address
        self._record = record
        self._advance = advance

    def run(self) -> Sent:
        """Send the file, or what is missing of it. DataError when it isn't any more what was hashed."""
        with asked(f"Uploading {self._local.path.name} to {self._address}"):
            version = self._there()
            if version is not None:
                self._advance(self._local.bytes)
            elif self._local.bytes <= PART:
                version = self._send_whole()
            else:
                version = self._send_parts()
        return Sent(self._local.path, self._local.bytes, self._local.sha256, version)

    def _there(self) -> str | None:
        """The version that has this very content already."""
        from botocore.exceptions import ClientError

        try:
            found = self._s3.head_object(**self._address.call)
        except ClientError as problem:
            if code_of(problem) in ("404", "NoSuchKey"):
                return None
            raise
        same = (found["ContentLength"], found["Metadata"].get(METADATA)) == (self._local.bytes, self._local.sha256)
        return str(found.get("VersionId", "")) if same else None

    def _send_whole(self) -> str:
        data = self._local.path.read_bytes()
        if hashlib.sha256(data).hexdigest() != self._local.sha256:
            raise self._changed()
        metadata = {METADATA: self._local.sha256}
        told = self._s3.put_object(**self._address.call, Body=data, ChecksumSHA256=_digest(data), Metadata=metadata)
        self._advance(len(data))
        return str(told.get("VersionId", ""))

    def _send_parts(self) -> str:
        size = part_bytes(self._local.bytes)
        upload, finished = self._begun(size)
        whole = hashlib.sha256()
        parts: list[dict[str, Any]] = []
        waiting: deque[Future[dict[str, Any]]] = deque()
        pool = ThreadPoolExecutor(THREADS)
        try:
            for number, data in enumerate(self._pieces(size), 1):
                whole.update(data)
                waiting.append(pool.submit(self._send_part, upload, number, data, finished.get(number)))
                if len(waiting) > THREADS:
                    parts.append(waiting.popleft().result())
            parts += [each.result() for each in waiting]
        finally:
            pool.shutdown(cancel_futures=True)
        if whole.hexdigest() != self._local.sha256:
            self._s3.abort_multipart_upload(**self._address.call, UploadId=upload)
            self._record.unlink(missing_ok=True)
            raise self._changed()
        version = self._complete(upload, parts)
        self._record.unlink(missing_ok=True)
        return version

    def _begun(self, size: int) -> tuple[str, dict[int, tuple[int, str]]]:
        """The id of our upload, and (bytes, ETag) of the parts that S3 has of it. One that S3 forgot is begun anew."""
        from botocore.exceptions import ClientError

        wanted = {"object": str(self._address), "part": size, "sha256": self._local.sha256}
        known = files.read_json(self._record)
        if isinstance(known, dict) and {**known, "upload": None} == {**wanted, "upload": None}:
            pages = self._s3.get_paginator("list_parts").paginate(**self._address.call, UploadId=known["upload"])
            try:
                parts = [part for page in pages for part in page.get("Parts", [])]
                return known["upload"], {part["PartNumber"]: (part["Size"], part["ETag"]) for part in parts}
            except ClientError as problem:
                if code_of(problem) != "NoSuchUpload":
                    raise
        begun = self._s3.create_multipart_upload(
            **self._address.call, ChecksumAlgorithm=_SHA256, Metadata={METADATA: self._local.sha256}
        )
        self._record.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(self._record, {**wanted, "upload": begun["UploadId"]})
        return str(begun["UploadId"]), {}

    def _send_part(self, upload: str, number: int, data: bytes, finished: tuple[int, str] | None) -> dict[str, Any]:
        """Send one part unless S3 has it; S3 takes it only when the checksum holds."""
        digest = _digest(data)
        if finished is not None and finished[0] == len(data):
            tag = finished[1]
        else:
            told = self._s3.upload_part(
                **self._address.call, UploadId=upload, PartNumber=number, Body=data, ChecksumSHA256=digest
            )
            tag = told["ETag"]
        self._advance(len(data))
        return {"PartNumber": number, "ETag": tag, "ChecksumSHA256": digest}

    def _complete(self, upload: str, parts: list[dict[str, Any]]) -> str:
        """Have S3 join the parts; it refuses when the checksum of one isn't the one that it stored."""
        from botocore.exceptions import ClientError

        try:
            told = self._s3.complete_multipart_upload(
                **self._address.call, UploadId=upload, MultipartUpload={"Parts": parts}
            )
        except ClientError as problem:
            # The answer to a first try may have been lost on its way, and the SDK has asked again.
            version = self._there() if code_of(problem) == "NoSuchUpload" else None
            if version is None:
                raise
            return version
        joined = hashlib.sha256(b"".join(base64.b64decode(part["ChecksumSHA256"]) for part in parts)).digest()
        wanted = base64.b64encode(joined).decode()
        if str(told.get("ChecksumSHA256", wanted)).partition("-")[0] != wanted:
            raise TargetFailed(
                f"{self._address} isn't what was sent: S3 tells another checksum.", "Run this again: it is sent anew."
            )
        return str(told.get("VersionId", ""))

    def _pieces(self, size: int) -> Iterator[bytes]:
        with self._local.path.open("rb") as file:
            while data := file.read(size):
                yield data

    def _changed(self) -> DataError:
        return DataError(
            f"{self._local.path} changed while it was uploaded.", "Wait until it is written, then run this again."
        )


def part_bytes(size: int) -> int:
    """8 MB, or as many whole megabytes as keep a huge file within S3's number of parts."""
    return max(PART, -(-size // (_MOST_PARTS * _MB)) * _MB)


def _digest(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()
