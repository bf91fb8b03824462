"""Floor 2: what a target must be able to do, and the values that pass between target and lifecycle.

A lifecycle command sees a target only through these protocols. Each promises what happens when it is called twice;
removing what isn't there is success. What a target can't do raises `Unsupported` and names the target that can.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from retailops.config import Config
from retailops.progress import Progress
from retailops.retail.dataset import Dataset


@dataclass(frozen=True)
class Change:
    """Something that a command would create, update or delete, or an audit found still there."""

    action: Literal["create", "update", "delete", "left"]
    kind: str  # "folder", "process", …
    name: str
    detail: str = ""
    monthly_usd: float = 0.0


@dataclass(frozen=True)
class Raw:
    """Input files registered in the raw zone. `key` is the hash of their contents, whatever they are called."""

    key: str
    folder: Path
    files: tuple[str, ...]
    bytes: int


@dataclass(frozen=True)
class Job:
    """One piece of work for `python -m retailops.worker`, the same on every target.

    `key` names the result: the same key means the same output, so a finished job isn't run again.
    """

    kind: Literal["etl", "train", "predict"]
    key: str
    inputs: Mapping[str, Path]
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class JobResult:
    """Where a job left its output; `result` is its result.json. `reused` when it had been finished before."""

    folder: Path
    result: dict[str, Any]
    reused: bool


@dataclass(frozen=True)
class Run:
    """One training of one algorithm: parameters, scorecard, and the bundle that came out."""

    id: str
    algorithm: str
    dataset: str
    bundle: Path
    bundle_hash: str
    created: str  # ISO 8601, UTC
    parameters: Mapping[str, Any]
    scorecard: Mapping[str, Any]


@dataclass(frozen=True)
class ModelVersion:
    """A registered bundle, with the way back to its run and its data."""

    version: int
    run: Run


@dataclass(frozen=True)
class Endpoint:
    """A live API."""

    url: str
    version: int
    state: Literal["ready", "starting", "unreachable"]
    since: str  # ISO 8601, UTC
    detail: Mapping[str, Any] = field(default_factory=dict)


class Lake(Protocol):
    def put(self, source: Path, progress: Progress) -> Raw:
        """Register a file or folder in the raw zone. The same contents twice give the same Raw."""

    def scratch(self) -> Path:
        """A folder on this machine for files made on their way into the raw zone; between commands it may go."""

    def publish(self, folder: Path) -> Dataset:
        """Take the output of an ETL job into the zones. Known already: the first one stays, and is the newest."""

    def datasets(self) -> list[Dataset]:
        """All datasets, the one published last at the end."""


class Jobs(Protocol):
    def run(self, job: Job, progress: Progress) -> JobResult:
        """Run a job to its end. A job whose key has finished before returns that result without running."""


class Models(Protocol):
    def record(self, run: Run) -> Run:
        """Track a training run. The same bundle of the same dataset twice is one run."""

    def runs(self) -> list[Run]:
        """All runs, oldest first."""

    def add(self, run: Run) -> ModelVersion:
        """Register the run's bundle as a new version. A bundle that is registered already keeps its version."""

    def versions(self) -> list[ModelVersion]:
        """All registered versions, ascending."""


class Serving(Protocol):
    def roll_out(self, model: ModelVersion, progress: Progress) -> Endpoint:
        """Serve `model`: start it beside the old one, prove it (readiness, golden rows, P95), then swap.

        Whatever fails, the old version keeps serving. The version that is live already is proved again and kept.
        """

    def endpoint(self) -> Endpoint | None:
        """The live endpoint, asked at this moment; None when nothing is deployed."""

    def logs(self, lines: int, follow: bool) -> Iterator[str]:
        """The server's last lines; with `follow`, further ones as they come."""


class Watch(Protocol):
    def predictions(self, hours: float) -> Iterator[dict[str, Any]]:
        """The logged requests of the last `hours`, oldest first."""


class Infra(Protocol):
    def changes(self) -> list[Change]:
        """What `apply` would create; empty when everything stands."""

    def apply(self, progress: Progress) -> None:
        """Create what is missing."""

    def removals(self) -> list[Change]:
        """Everything of this project that stands now, in the order it would be removed."""

    def remove(self, progress: Progress) -> None:
        """Remove all of it. Nothing there is success."""

    def left(self) -> list[Change]:
        """An independent look, not from our own records: what of this project still exists."""


@dataclass(frozen=True)
class Target:
    """The ports of one place, bundled."""

    name: str
    config: Config
    lake: Lake
    jobs: Jobs
    models: Models
    serving: Serving
    watch: Watch
    infra: Infra
