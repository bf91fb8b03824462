"""Floor 4, aws: what the Glue job is told: its script under its hash, and an order made from the raw files on S3."""

from __future__ import annotations

import gzip
import hashlib
import json
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from retailops import files
from retailops.ports import Job
from retailops.retail.etl import EtlOptions
from retailops.retail.sources import LONGEST_LINE, SourceFile, discover
from retailops.retail.spark import order as spark
from retailops.targets.aws.lake import LISTING
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.transfers import abreast, asked

ORDER = "spark.json"
_HEAD = 64 << 10  # bytes of a file that are looked at first; header and first row are in them but for odd files


class SparkOrders:
    """gold:code/etl.py and etl-<hash>.py, the job's script; models:jobs/etl-<key>/order/spark.json, its order."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror

    def script(self) -> str:
        """Have this version's script on S3; its uri, which no other version ever writes to."""
        content = spark.script()
        own = self._mirror.folder("gold", "code", f"etl-{hashlib.sha256(content).hexdigest()[:16]}.py")
        for path in (own, own.with_name("etl.py")):  # the second is what the job's definition names
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write_bytes(path, content)
            self._mirror.push(path)
        return self._mirror.uri(own)

    def order(self, job: Job, folders: Mapping[str, Path]) -> str:
        """Put the order for `job` on S3; its uri. Errors of the input's headers are told here already."""
        (source,) = job.inputs.values()
        listed = json.loads(self._mirror.fetch(source / LISTING).read_bytes())["files"]
        options = {name: value for name, value in job.parameters.items() if name != "labelled"}
        labelled = bool(job.parameters.get("labelled", True))
        wanted = spark.order(
            self._inspected(source, listed, labelled),
            {file["name"]: self._mirror.uri(source / file["name"]) for file in listed},
            {file["name"]: file["sha256"] for file in listed},
            {name: self._mirror.uri(folder) for name, folder in folders.items()},
            EtlOptions(**options),
            labelled=labelled,
        )
        path = folders["output"].parent / "order" / ORDER
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(path, wanted)
        self._mirror.push(path)
        return self._mirror.uri(path)

    def _inspected(self, source: Path, listed: list[dict[str, Any]], labelled: bool) -> list[SourceFile]:
        """What is known of the files from their first lines; the rest of them stays where it is."""
        spark.check([file["name"] for file in listed])
        sizes = {file["name"]: file["bytes"] for file in listed}
        with tempfile.TemporaryDirectory(prefix="retailops-") as scratch:
            heads = Path(scratch)

            def write(name: str) -> None:
                path = heads / name
                path.parent.mkdir(parents=True, exist_ok=True)
                text = self._head(source / name, sizes[name])
                path.write_bytes(gzip.compress(text) if name.lower().endswith(".gz") else text)

            abreast(write, sizes)
            return [replace(file, bytes=sizes[file.name]) for file in discover(heads, labelled=labelled)]

    def _head(self, path: Path, size: int) -> bytes:
        """The text of a file's beginning, with two whole lines at least unless one is longer than any may be."""
        for wanted in (_HEAD, 2 * LONGEST_LINE):
            text = self._begins(path, wanted)
            if text.count(b"\n") > 1 or wanted >= size:
                break
        return text

    def _begins(self, path: Path, wanted: int) -> bytes:
        address = self._mirror.address(path)
        with asked(f"Reading the first lines of {address}"):
            told = self._mirror.s3.get_object(**address.call, Range=f"bytes=0-{wanted - 1}")
            data: bytes = told["Body"].read()
        return zlib.decompressobj(31).decompress(data) if path.name.lower().endswith(".gz") else data
