"""Floor 4, aws: what an ETL's pod on EKS runs: rows from S3, the worker, and what came out to S3, its result last.

    python -m retailops.targets.aws.carrier etl --owner ACCOUNT --data DIR [--parameters JSON]
                                                --bring NAME=s3://… … --take PART=s3://… …

PART is a zone, or "." for what is beside them. SageMaker does this by itself; in a pod the role of its service account
(IRSA) does it, and boto3 finds that by itself too.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from retailops.batch import inside
from retailops.batch.agreed import GATE_FAILED, RESULT
from retailops.errors import NotReady, RetailOpsError
from retailops.events import EventLines
from retailops.progress import Progress
from retailops.targets.aws.receiving import receive
from retailops.targets.aws.sending import PART, Local, Upload
from retailops.targets.aws.session import unbound
from retailops.targets.aws.transfers import Address, Tally, abreast, asked

_BESIDE = "."
_QUARANTINE = "quarantine"  # what was refused is taken too, for a look


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="retailops.targets.aws.carrier", description=__doc__.partition("\n")[0])
    parser.add_argument("kind")
    parser.add_argument("--owner", required=True, metavar="ACCOUNT", help="whose buckets these must be")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--parameters", type=json.loads, default={}, metavar="JSON")
    parser.add_argument("--bring", action="append", default=[], metavar="NAME=URI")
    parser.add_argument("--take", action="append", default=[], metavar="PART=URI")
    parser.add_argument("--worker", type=json.loads, default=list(inside.WORKER), metavar="JSON")
    given = parser.parse_args(arguments)
    inside.end_on_sigterm()
    told = EventLines(sys.stdout)
    carrier = Carrier(unbound("s3"), given.owner, given.data)
    try:
        inputs = carrier.bring(dict(each.split("=", 1) for each in given.bring), told)
        code = inside.work(given.worker, given.kind, inputs, given.data / "output", given.parameters)
        inside.end_on_sigterm()
        takes = dict(each.split("=", 1) for each in given.take)
        if code == GATE_FAILED:
            takes = {part: uri for part, uri in takes.items() if part == _QUARANTINE}
        if code in (0, GATE_FAILED):
            carrier.take(takes, told)
    except RetailOpsError as problem:
        return inside.failed(problem)
    return code


class Carrier:
    """Between S3 and a folder of the pod."""

    def __init__(self, s3: Any, owner: str, data: Path) -> None:
        self._s3 = s3
        self._owner = owner
        self._data = data

    def bring(self, inputs: dict[str, str], progress: Progress) -> dict[str, Path]:
        """Name → folder of what S3 has below the URI; NotReady when that is nothing."""
        found = {name: list(self._listed(uri)) for name, uri in inputs.items()}
        for name, objects in found.items():
            if not objects:
                raise NotReady(f"{inputs[name]} isn't there.", "Run the step that makes it: retailops etl")
        folders = {name: self._data / "input" / name for name in inputs}
        wanted = [(folders[name] / below, each) for name, objects in found.items() for below, each in objects]
        progress.stage("Bringing the rows from S3", sum(each["Size"] for _, each in wanted), "bytes")
        tally = Tally(progress)

        def one(pair: tuple[Path, dict[str, Any]]) -> None:
            path, each = pair
            receive(self._s3, each["Address"], each["ETag"], path, tally.add)

        abreast(one, wanted)
        return folders

    def take(self, parts: dict[str, str], progress: Progress) -> None:
        """Upload each part of the output to its URI, and remove what a former pod left there under other names."""
        output = self._data / "output"
        zones = [part for part in parts if part != _BESIDE]
        # The result says that all else is there, so whoever looks for it mustn't find that of a pod before.
        if _BESIDE in parts:
            self._remove(self._address(f"{parts[_BESIDE]}/{RESULT}"))
        beside = [part for part in parts if part == _BESIDE]
        sent = {part: dict(_files(output if part == _BESIDE else output / part, zones)) for part in [*zones, *beside]}
        total = sum(path.stat().st_size for found in sent.values() for path in found.values())
        progress.stage("Saving what came out", total, "bytes")
        tally = Tally(progress)
        for part, found in sent.items():
            for below, each in self._listed(parts[part]):
                if below not in found:
                    self._remove(each["Address"])
            last = [below for below in found if below == RESULT]
            send = partial(self._send, parts[part], found, tally)
            small = [below for below in found if below not in last and found[below].stat().st_size <= PART]
            abreast(send, small)
            for below in [*(each for each in found if each not in small and each not in last), *last]:
                send(below)

    def _send(self, uri: str, found: dict[str, Path], tally: Tally, below: str) -> None:
        path = found[below]
        local = Local(path, path.stat().st_size, inside.sha256(path))
        record = self._data / "uploads" / f"{local.sha256[:16]}.json"
        Upload(self._s3, local, self._address(f"{uri}/{below}"), record, tally.add).run()

    def _remove(self, address: Address) -> None:
        with asked(f"Removing {address}"):
            self._s3.delete_object(**address.call)

    def _listed(self, uri: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """(path below the URI, object with its Address)."""
        address = self._address(f"{uri.rstrip('/')}/")
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=address.bucket, Prefix=address.key, ExpectedBucketOwner=self._owner
        )
        with asked(f"Listing {uri}"):
            for each in (each for page in pages for each in page.get("Contents", [])):
                below = each["Key"].removeprefix(address.key)
                if not {"", ".", ".."} & {*below.split("/")}:
                    yield below, {**each, "Address": Address(address.bucket, each["Key"], self._owner)}

    def _address(self, uri: str) -> Address:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return Address(bucket, key, self._owner)


def _files(folder: Path, zones: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """(path below the folder, file); what is a zone's isn't beside them, nor what the work needed on its way."""
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        below = path.relative_to(folder)
        if path.is_file() and not below.parts[0].startswith(".") and below.parts[0] not in zones:
            yield below.as_posix(), path


if __name__ == "__main__":
    sys.exit(main())
