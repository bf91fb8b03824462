"""Floor 4, aws: the ledger. Whatever retailops creates is written down, so that the audit knows what to ask for.

One JSON line a creation in `<aws.folder>/ledger.jsonl`, on disk before the call returns; and the whole file again as
an object `ledger/<its id>.jsonl` in the state's bucket, so that a machine without this disk has it too.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, Self

from retailops.targets.aws.creations import created
from retailops.targets.aws.names import Names
from retailops.targets.aws.settings import Settings

_FOLDER = "ledger/"


class Account(Protocol):
    """What the ledger needs of a Session."""

    @property
    def settings(self) -> Settings: ...

    @property
    def names(self) -> Names: ...

    def unwatched(self, service: str) -> Any:
        """A client whose calls aren't written down."""


@dataclass(frozen=True)
class Entry:
    """Something that was created once, and may be gone long since."""

    time: str  # ISO 8601, UTC
    operation: str  # "ec2.CreateVolume", or "terraform"
    kind: str  # the inventory's name, or Terraform's type
    id: str
    name: str
    region: str

    @classmethod
    def read(cls, line: str) -> Self | None:
        """The entry of a line; None for one that isn't whole, or isn't an entry."""
        try:
            return cls(**json.loads(line))
        except (ValueError, TypeError):
            return None


class Ledger:
    def __init__(self, account: Account) -> None:
        self._account = account

    @property
    def path(self) -> Path:
        return self._account.settings.folder / "ledger.jsonl"

    def created(self, kind: str, id: str, name: str, operation: str = "terraform") -> None:
        """Write down that this exists from now on. `kind` is Terraform's type, or a kind of the inventory."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._write([Entry(now, operation, kind, id, name, self._account.settings.region)])

    def watch(self, client: Any) -> Any:
        """Have every successful create call of this boto3 client written down. Returns the client."""
        client.meta.events.register("before-parameter-build", _remember)
        client.meta.events.register("after-call", self._note)
        return client

    def entries(self) -> list[Entry]:
        """All that was ever written down since the last `settle`, here and in the state's bucket, each thing once."""
        lines = [*self._local(), *self._mirrored()]
        found = [entry for entry in map(Entry.read, lines) if entry is not None]
        return list({(entry.kind, entry.id): entry for entry in found}.values())

    def keep(self) -> None:
        """Take over what other machines wrote, before the state's bucket goes with it."""
        here = {line.rstrip("\n") for line in self._local()}
        missing = [entry for line in self._mirrored() if line not in here if (entry := Entry.read(line))]
        if missing:
            self._write(missing)

    def settle(self) -> None:
        """Everything in it was seen to be gone: close the book. No ledger is success."""
        self.path.unlink(missing_ok=True)

    def _note(self, *, parsed: Any, model: Any, context: Any, http_response: Any, **rest: object) -> None:
        if http_response.status_code >= 300:
            return
        operation = f"{model.service_model.service_name}.{model.name}"
        for kind, identity, name in created(operation, context.get(_PARAMETERS, {}), parsed):
            self.created(kind, identity, name, operation)

    def _write(self, entries: Iterable[Entry]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        before = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        begin = "\n" if before and not before.endswith("\n") else ""  # a line that a power cut tore stays alone
        head = "" if _identity(before.splitlines()) else json.dumps({"ledger": secrets.token_hex(8)}) + "\n"
        text = begin + head + "".join(json.dumps(asdict(entry)) + "\n" for entry in entries)
        # One write of whole lines: commands that run at the same time never tear each other's.
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, text.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._mirror()

    def _local(self) -> list[str]:
        return self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []

    def _mirror(self) -> None:
        """The whole file again, under its own id. What fails is made good by the next line's mirror."""
        from botocore.exceptions import BotoCoreError, ClientError

        lines = self._local()
        key = f"{_FOLDER}{_identity(lines)}.jsonl"
        body = "\n".join(lines).encode() + b"\n"
        with suppress(ClientError, BotoCoreError):
            self._account.unwatched("s3").put_object(Bucket=self._account.names.state_bucket, Key=key, Body=body)

    def _mirrored(self) -> list[str]:
        from botocore.exceptions import ClientError

        s3, bucket = self._account.unwatched("s3"), self._account.names.state_bucket
        try:
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=_FOLDER)
            keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
            bodies = [s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() for key in keys]
        except ClientError as problem:
            if problem.response["Error"]["Code"] in ("NoSuchBucket", "NoSuchKey"):
                return []
            raise
        return [line for body in bodies for line in body.splitlines()]


_PARAMETERS = "retailops parameters"


def _remember(*, params: Any, context: Any, **rest: object) -> None:
    """Keep a call's parameters until it has succeeded: names often stand in the call alone."""
    context[_PARAMETERS] = dict(params)


def _identity(lines: list[str]) -> str:
    """The id that a ledger was given when it was begun; "" for one that isn't begun."""
    for line in lines:
        with suppress(ValueError):
            found = json.loads(line)
            if isinstance(found, dict) and "ledger" in found:
                return str(found["ledger"])
    return ""
