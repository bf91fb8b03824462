"""Floor 2: what a target must be able to do, and the values that pass between target and lifecycle.

A lifecycle command sees a target only through these protocols. Each promises what happens when it is called twice;
removing what isn't there is success. What a target can't do raises `Unsupported` and names the target that can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from retailops.config import Config
from retailops.progress import SILENT, Progress
from retailops.retail.dataset import Dataset
from retailops.retail.feature_groups import Group, Value

NOTHING: AbstractSet[str] = frozenset()


@dataclass(frozen=True)
class Change:
    """Something that a command would create, update or delete, or an audit found still there."""

    action: Literal["create", "update", "replace", "delete", "left", "kept"]
    kind: str  # "folder", "process", …
    name: str
    detail: str = ""
    monthly_usd: float = 0.0
    priced: bool = True  # False: no price is known, so monthly_usd says nothing
    fix: str = ""  # for what is left: the command that removes it


@dataclass(frozen=True)
class Terms:
    """How infrastructure is to stand. None leaves a thing as it stands now, or at its default when nothing does."""

    expires: datetime | None = None  # UTC; from then on `teardown --expired` removes it
    parked: bool | None = None  # nothing that is paid by the hour and can be had again; data stays
    allow_replace: bool = False  # a cluster, bucket, key or network may be destroyed and made anew


AS_IT_STANDS = Terms()


@dataclass(frozen=True)
class Standing:
    """What stands of a project's infrastructure at this moment."""

    resources: int  # 0: nothing
    parked: bool = False
    expires: datetime | None = None  # UTC
    drift: tuple[Change, ...] = ()  # what was changed outside of retailops since it was built
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CostLine:
    """One line of a monthly bill: `monthly_usd` = quantity × unit_usd, rounded to the cent."""

    part: Literal["infrastructure", "data", "training", "serving", "logs"]
    name: str
    quantity: float  # a month
    unit: str  # "hour", "GB", "million requests", …
    unit_usd: float
    monthly_usd: float
    source: str  # where the unit price was read
    dated: str  # ISO 8601 day of that reading
    detail: str = ""
    certainty: Literal["read", "typical", "unconfirmed"] = "read"  # of the unit price: spot prices move, so are typical


@dataclass(frozen=True)
class Estimate:
    """The monthly bill of one way to run the project."""

    scenario: str  # "always", "working-hours", "parked"
    lines: tuple[CostLine, ...]

    @property
    def monthly_usd(self) -> float:
        return round(sum(line.monthly_usd for line in self.lines), 2)


@dataclass(frozen=True)
class Advice:
    """A choice with a price on both sides: which is cheaper for what was declared, and why."""

    subject: str
    choice: str
    reason: str
    monthly_usd: Mapping[str, float]  # each way's price


@dataclass(frozen=True)
class Spend:
    """What was really billed."""

    month_to_date_usd: float
    forecast_usd: float | None  # None: too early in the month, or too new an account, to tell
    by_service: Mapping[str, float]
    since: str  # ISO 8601 day


@dataclass(frozen=True)
class Finding:
    """One thing that the doctor looked at."""

    check: str
    state: Literal["ok", "warning", "failed", "skipped"]
    what: str
    fix: str = ""


@dataclass(frozen=True)
class Raw:
    """Input files registered in the raw zone. `key` is the hash of their contents, whatever they are called."""

    key: str
    folder: Path
    files: tuple[str, ...]
    bytes: int


@dataclass(frozen=True)
class Table:
    """The answer to a question: as many rows as were wanted, and what it took to find them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    cut: bool  # there are more rows
    dataset: str
    scanned_bytes: int | None = None  # None: nothing is paid for that
    usd: float | None = None  # None: nothing is paid, or no price is known


@dataclass(frozen=True)
class Job:
    """One piece of work for `python -m retailops.worker`, the same on every target.

    `key` names the result: the same key means the same output, so a finished job isn't run again.
    """

    kind: Literal["etl", "features", "train", "tune", "predict"]
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
class Record:
    """What the feature store knew of one product, store or customer from `event_time` (UTC) on."""

    key: str
    event_time: datetime
    features: Mapping[str, Value]


@dataclass(frozen=True)
class Publication:
    """One version of a feature group in the store. The counts reconcile: records = written + the sum of `rejected`."""

    group: str
    version: str  # of what it was made of: a dataset, a bundle
    records: int
    written: int  # offline: all of history
    rejected: Mapping[str, int]  # reason → records
    keys: int  # online: the newest record of each
    published: str  # ISO 8601, UTC
    reused: bool = True  # nothing had to be done


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
    tuned_by: str = (
        ""  # key of the tune job that found the parameters; empty: they were set by hand, or are the defaults
    )


@dataclass(frozen=True)
class Approval:
    """What was decided about a version: by whom, when (ISO 8601, UTC) and why."""

    status: Literal["pending", "approved", "rejected"] = "pending"
    by: str = ""
    at: str = ""
    reason: str = ""


PENDING = Approval()


@dataclass(frozen=True)
class ModelVersion:
    """A registered bundle, with the way back to its run and its data, and what was decided about it."""

    version: int
    run: Run
    approval: Approval = PENDING


@dataclass(frozen=True)
class Endpoint:
    """A live API."""

    url: str
    version: int
    state: Literal["ready", "starting", "unreachable"]
    since: str  # ISO 8601, UTC
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """One file of what Kubernetes is told: the text that a person reads, and the objects that it says."""

    file: str
    text: str
    objects: tuple[Mapping[str, Any], ...]


Rendering = Callable[[ModelVersion], tuple[Manifest, ...]]  # a version → all of it, in the order of applying


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
    def roll_out(self, model: ModelVersion, progress: Progress) -> Endpoint:
        """Serve `model`: start it beside the old one, prove it (readiness, golden rows, P95), then swap.

        Whatever fails, the old version keeps serving. The version that is live already is proved again and kept.
        """

    def rendering(self) -> Rendering:
        """How versions are written down for Kubernetes, which changes nothing. Unsupported where nothing runs on it."""

    def endpoint(self) -> Endpoint | None:
        """The live endpoint, asked at this moment; None when nothing is deployed."""

    def logs(self, lines: int, follow: bool) -> Iterator[str]:
        """The server's last lines; with `follow`, further ones as they come."""


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
    serving: Serving
    watch: Watch
    infra: Infra
    removal: Removal
    costs: Costs
    doctor: Doctor
