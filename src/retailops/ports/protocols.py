"""Floor 2: what a target must be able to do. Two to four methods each; the values are in values.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from retailops.config import Config
from retailops.ports.values import (
    AS_IT_STANDS,
    Advice,
    Approval,
    Change,
    Endpoint,
    Estimate,
    Finding,
    Image,
    Job,
    JobResult,
    ModelVersion,
    Publication,
    Raw,
    Record,
    Rendering,
    Run,
    Spend,
    Standing,
    Table,
    Terms,
)
from retailops.progress import SILENT, Progress
from retailops.retail.dataset import Dataset
from retailops.retail.feature_groups import Group

NOTHING: AbstractSet[str] = frozenset()


class Lake(Protocol):
    def put(self, source: Path, progress: Progress) -> Raw:
        """Register a file or folder in the raw zone. The same contents twice give the same Raw."""

    def scratch(self) -> Path:
        """A folder on this machine for files made on their way into the raw zone; between commands it may go."""

    def publish(self, folder: Path) -> Dataset:
        """Take the output of an ETL job into the zones. Known already: the first one stays, and is the newest."""

    def datasets(self) -> list[Dataset]:
        """All datasets, the one published last at the end."""

    def ask(self, sql: str, limit: int, progress: Progress) -> Table:
        """Answer one SELECT over the tables silver and gold of the newest dataset with `limit` rows at most.

        Changes nothing. NotReady when there is no dataset, UsageError for what isn't one SELECT, or is wrong.
        """


class Jobs(Protocol):
    def run(self, job: Job, progress: Progress) -> JobResult:
        """Run a job to its end. A job whose key has finished before returns that result without running."""


class Features(Protocol):
    """Each group has one live version, published last: online its newest records, offline its history."""

    def publish(self, group: Group, version: str, records: Path, progress: Progress) -> Publication:
        """Make the records of a parquet file the live version of `group`, offline first, then online in one step.

        A reader meets the version before or this one, never a part. Live already: nothing is done. Killed, and run
        again: it is whole. A version that had been live before is live again.
        """

    def published(self) -> list[Publication]:
        """The live version of each group that has one, by name."""

    def online(self, group: Group, keys: Sequence[str]) -> dict[str, Record]:
        """The newest record of each key that is known, all of one version. NotReady when nothing is published."""

    def before(
        self, group: Group, wanted: Sequence[tuple[str, datetime]], version: str | None = None
    ) -> list[Record | None]:
        """For each (key, moment) the newest record strictly before that moment, None when there is none.

        Of the live version unless another is named; NotReady when that one isn't there.
        """


class Models(Protocol):
    def record(self, run: Run) -> Run:
        """Track a training run. The same bundle of the same dataset twice is one run."""

    def runs(self) -> list[Run]:
        """All runs, oldest first."""

    def add(self, run: Run) -> ModelVersion:
        """Register the run's bundle as a new version. A bundle that is registered already keeps its version."""

    def versions(self) -> list[ModelVersion]:
        """All registered versions, ascending."""

    def decide(self, version: int, approval: Approval) -> ModelVersion:
        """Note what was decided about a registered version; a later decision replaces an earlier one.

        The same status and reason again keeps the first, name and time included. UsageError for no such version.
        """


class Serving(Protocol):
    def changes(self) -> list[Change]:
        """What `roll_out` would start, or replace, that is paid for by the hour, priced; empty when nothing is."""

    def roll_out(self, model: ModelVersion, progress: Progress) -> Endpoint:
        """Serve `model`: start it beside the old one, prove it (readiness, golden rows, P95), then swap.

        Whatever fails, the old version keeps serving. The version that is live already is proved again and kept.
        """

    def roll_back(self, to: int | None, progress: Progress) -> Endpoint:
        """Serve again what served before, with the settings that it had then, proved and swapped as by `roll_out`.

        None undoes the last roll-out; `to` is the last time that this version served. Done already: it is proved again
        and kept, so a command that is repeated goes neither further back nor forth. The address stays the live one's.
        NotReady when nothing served before, or what did no longer loads; UsageError for a version that never served.
        Whatever fails, the live version keeps serving.
        """

    def rendering(self) -> Rendering:
        """How versions are written down for Kubernetes, which changes nothing. Unsupported where nothing runs on it."""

    def endpoint(self) -> Endpoint | None:
        """The live endpoint, asked at this moment; None when nothing is deployed."""

    def logs(self, lines: int, follow: bool) -> Iterator[str]:
        """The server's last lines; with `follow`, further ones as they come."""


class Images(Protocol):
    """The API's image of a version holds its bundle; the worker's image, which is what jobs run in, holds none."""

    def build(self, model: ModelVersion | None, progress: Progress, *, push: bool = True) -> Image:
        """Build the image of a version, None: the worker's, and push it. The same contents are built and pushed once.

        Without `push`, or with no registry to push to, it stays in the engine, under a name instead of a digest.
        GateFailed when a scan found what may not go live, NotReady where nothing can be built.
        """

    def find(self, model: ModelVersion | None) -> Image | None:
        """The image that was pushed last for this version, asked at the registry; None when there is none.

        NotReady where there is no registry, GateFailed when its scan found what may not go live.
        """


class Watch(Protocol):
    def predictions(self, hours: float) -> Iterator[dict[str, Any]]:
        """The logged requests of the last `hours`, oldest first."""


class Infra(Protocol):
    def changes(self, terms: Terms = AS_IT_STANDS, progress: Progress = SILENT) -> list[Change]:
        """What `apply` would create, update, replace or delete; empty when everything stands. Changes nothing."""

    def apply(self, progress: Progress, terms: Terms = AS_IT_STANDS) -> list[Change]:
        """Make it so; what was done comes back. Twice is harmless; what was cut short goes on."""

    def standing(self, progress: Progress = SILENT, *, drift: bool = True) -> Standing:
        """What stands now, asked and not remembered. Without `drift` it isn't compared with how it was built."""

    def unlock(self) -> list[Change]:
        """Break the lock of a command that died, and say whose it was. Nobody holding one is success."""


class Removal(Protocol):
    """`keep` names what is spared: "data" is the lake and what is needed to read it."""

    def removals(self, keep: AbstractSet[str] = NOTHING, progress: Progress = SILENT) -> list[Change]:
        """Everything of this project that stands now, in the order it would be removed."""

    def remove(self, progress: Progress, keep: AbstractSet[str] = NOTHING) -> None:
        """Remove all of it. Nothing there is success."""

    def left(self, keep: AbstractSet[str] = NOTHING, progress: Progress = SILENT) -> list[Change]:
        """An independent look, not from our own records: what of this project still exists, and what was `kept`."""


class Costs(Protocol):
    def estimates(self) -> list[Estimate]:
        """The price of what the config declares, offline, one estimate a scenario. A missing price is an error."""

    def advice(self) -> list[Advice]:
        """Choices whose better side depends on the declared traffic."""

    def live(self) -> Spend:
        """What was billed for this project."""


class Doctor(Protocol):
    def findings(self, progress: Progress) -> Iterator[Finding]:
        """Look at everything that this config needs before it can work. Changes nothing."""

    def policy(self) -> Mapping[str, Any]:
        """The least rights that this config needs, as the document its cloud takes; empty where none are."""


@dataclass(frozen=True)
class Target:
    """The ports of one place, bundled."""

    name: str
    config: Config
    lake: Lake
    jobs: Jobs
    features: Features
    models: Models
    images: Images
    serving: Serving
    watch: Watch
    infra: Infra
    removal: Removal
    costs: Costs
    doctor: Doctor
