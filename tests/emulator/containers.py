"""What a SageMaker job finds around it: /opt/ml below a folder of its own, filled from S3 and emptied to it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.server import Emulator
from retailops.targets.aws.orders import IMAGE


@dataclass(frozen=True)
class Order:
    """A request for a job, read alike for both kinds."""

    kind: str  # "processing", "training"
    wanted: dict[str, Any]

    @property
    def camel(self) -> str:
        return f"{self.kind.capitalize()}Job"

    @property
    def status(self) -> str:
        """The attribute of moto's job that holds its status."""
        return f"{self.kind}_job_status"

    @property
    def logs(self) -> str:
        return f"/aws/sagemaker/{self.camel}s"

    @property
    def name(self) -> str:
        return str(self.wanted[f"{self.camel}Name"])

    @property
    def spot(self) -> bool:
        return bool(self.wanted.get("EnableManagedSpotTraining"))

    @property
    def machines(self) -> int:
        """How many of them do this job at the same time."""
        return int(self.wanted["ResourceConfig"].get("InstanceCount", 1)) if self.kind == "training" else 1

    @property
    def entry(self) -> list[str]:
        key = "AlgorithmSpecification" if self.kind == "training" else "AppSpecification"
        told = self.wanted[key]
        if "ContainerEntrypoint" not in told:
            return [*IMAGE, "train"]  # what SageMaker starts an image with, and the image's own entry point
        return [*told["ContainerEntrypoint"], *told.get("ContainerArguments", [])]

    @property
    def hyperparameters(self) -> dict[str, str]:
        return dict(self.wanted.get("HyperParameters") or {})

    @property
    def channels(self) -> dict[str, str]:
        """Folder inside → S3 URI."""
        if self.kind == "training":
            return {
                f"/opt/ml/input/data/{each['ChannelName']}": each["DataSource"]["S3DataSource"]["S3Uri"]
                for each in self.wanted["InputDataConfig"]
            }
        return {each["S3Input"]["LocalPath"]: each["S3Input"]["S3Uri"] for each in self.wanted["ProcessingInputs"]}

    @property
    def outputs(self) -> dict[str, str]:
        if self.kind == "training":
            return {"/opt/ml/model": self.model}
        outputs = self.wanted["ProcessingOutputConfig"]["Outputs"]
        return {each["S3Output"]["LocalPath"]: each["S3Output"]["S3Uri"] for each in outputs}

    @property
    def model(self) -> str:
        config = self.wanted["OutputDataConfig"]
        assert config.get("CompressionType") == "NONE", "archives aren't emulated: nothing of retailops asks for one"
        return f"{config['S3OutputPath'].rstrip('/')}/{self.name}/output/model/"

    @property
    def checkpoints(self) -> tuple[str, str] | None:
        config = self.wanted.get("CheckpointConfig")
        return (config.get("LocalPath", "/opt/ml/checkpoints"), config["S3Uri"]) if config else None

    @property
    def message(self) -> str:
        return "/opt/ml/output/" + ("failure" if self.kind == "training" else "message")


class Container:
    def __init__(self, aws: Emulator, order: Order, root: Path, host: str, hosts: Sequence[str]) -> None:
        self._s3 = aws.client("s3")
        self._order = order
        self.root = root
        self._hosts = {"current_host": host, "hosts": [*hosts]}

    def fill(self) -> None:
        """Bring all channels, and the checkpoints of a machine before. A channel with nothing in it is an error."""
        for folder, uri in self._order.channels.items():
            if not self._download(uri, self._inside(folder)):
                raise LookupError(f"Data download failed: No S3 objects found under S3 URL {uri!r} given in input.")
        if told := self._order.hyperparameters:
            texts = {name: text.replace("/opt/ml/", f"{self.root}/opt/ml/") for name, text in told.items()}
            path = self._inside("/opt/ml/input/config/hyperparameters.json")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(texts), encoding="utf-8")
        for folder in [*self._order.outputs, "/opt/ml/output"]:
            self._inside(folder).mkdir(parents=True, exist_ok=True)
        config = self._inside("/opt/ml/input/config/resourceconfig.json")
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(json.dumps(self._hosts))
        if self._order.checkpoints:
            folder, uri = self._order.checkpoints
            self._inside(folder).mkdir(parents=True, exist_ok=True)
            self._download(uri, self._inside(folder))

    def command(self, python: str) -> list[str]:
        entry = [each.replace("/opt/ml/", f"{self.root}/opt/ml/") for each in self._order.entry]
        return [python if entry[0] in ("python", "python3") else entry[0], *entry[1:]]

    def empty(self, *, code: int, interrupted: bool) -> None:
        """Take away what the program left; of a machine that was taken away, only checkpoints."""
        if self._order.checkpoints:
            self._upload(self._inside(self._order.checkpoints[0]), self._order.checkpoints[1])
        if not interrupted and (code == 0 or self._order.kind == "processing"):
            for folder, uri in self._order.outputs.items():
                self._upload(self._inside(folder), uri)

    def last_words(self) -> str:
        """What the description of the job shows of the file for them, its first kilobyte."""
        path = self._inside(self._order.message)
        return path.read_text(encoding="utf-8").replace(str(self.root), "")[:1024] if path.is_file() else ""

    def _inside(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def _download(self, uri: str, folder: Path) -> int:
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
        for key in keys:
            path = folder / (key.removeprefix(prefix).lstrip("/") or key.rpartition("/")[2])
            path.parent.mkdir(parents=True, exist_ok=True)
            self._s3.download_file(bucket, key, str(path))
        return len(keys)

    def _upload(self, folder: Path, uri: str) -> None:
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            key = f"{prefix.rstrip('/')}/{path.relative_to(folder)}"
            self._s3.upload_file(str(path), bucket, key)
