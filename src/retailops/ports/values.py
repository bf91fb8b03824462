"""Floor 2: the values that pass between a target and the lifecycle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from retailops.errors import NotReady, UsageError
from retailops.retail.feature_groups import Value


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
class Served:
    """A version that served before, as a rollback would bring it back."""

    version: int
    bundle_hash: str
    since: str  # ISO 8601, UTC: when it went live
    settings: Mapping[str, Any] = field(default_factory=dict)  # what it had of retail.yaml, by dotted key
    detail: Mapping[str, Any] = field(default_factory=dict)  # what its target needs to have it again


@dataclass(frozen=True)
class Endpoint:
    """A live API."""

    url: str
    version: int
    state: Literal["ready", "starting", "unreachable"]
    since: str  # ISO 8601, UTC
    detail: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)  # what it has of retail.yaml, by dotted key
    before: tuple[Served, ...] = ()  # what served before it, oldest first
    returned: bool = False  # it is live by a rollback: there is nothing that another one would undo

    def earlier(self, to: int | None) -> Served | None:
        """What `Serving.roll_back` serves again; None when that is live already. NotReady and UsageError as there."""
        if to == self.version or (to is None and self.returned):
            return None
        for each in reversed(self.before):
            if to in (None, each.version):
                return each
        if to is None:
            what = f"Nothing served before version {self.version}, so there is nothing to go back to."
            raise NotReady(what, "Deploy the version that you want: retailops deploy --version N")
        known = ", ".join(str(number) for number in sorted({self.version, *(each.version for each in self.before)}))
        raise UsageError(f"Version {to} never served here.", f"What did: {known}. Or: retailops deploy --version {to}")


@dataclass(frozen=True)
class Image:
    """A container image in a registry, by what it holds and not by a name that may be moved."""

    reference: str  # repository@sha256:…
    tag: str  # a name for people
    bytes: int  # compressed, as it travels
    findings: Mapping[str, int] = field(default_factory=dict)  # the scan's, by severity; empty: not scanned
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """One file of what Kubernetes is told: the text that a person reads, and the objects that it says."""

    file: str
    text: str
    objects: tuple[Mapping[str, Any], ...]


Rendering = Callable[[ModelVersion], tuple[Manifest, ...]]  # a version → all of it, in the order of applying
