"""The shape of retail.yaml: every section and key with its default, its bounds and its unit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationInfo, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Text = Annotated[str, Field(max_length=100)]
_DEFAULTS: Any = {}  # an absent section is validated like an empty one, so that its paths find the file's folder too


def _from_folder(value: object, info: ValidationInfo) -> object:
    """Relative paths in the file mean: from the file's folder, wherever the command is run."""
    if not isinstance(value, (str, Path)) or value == "":
        return value
    base: Path = (info.context or {}).get("folder", Path())
    return base / Path(value).expanduser()


Folder = Annotated[Path, BeforeValidator(_from_folder)]


class Section(BaseModel):
    """A block of retail.yaml: frozen, unknown keys refused, no silent conversion of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True, allow_inf_nan=False)

    SHORTHAND: ClassVar[str | None] = None  # the key that `section: value` stands for

    @model_validator(mode="before")
    @classmethod
    def _nothing_under_it(cls, value: object) -> object:
        """`gates:` with every key commented out means the defaults."""
        return {} if value is None else value


class Project(Section):
    name: str = Field(
        "retail-demo",
        pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
        max_length=32,
        description="Name of everything this project creates: lower-case letters, digits and single hyphens.",
    )
    environment: str = Field(
        "dev",
        pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
        max_length=16,
        description="Which copy of the project this is: dev, staging, prod.",
    )
    owner: Text = Field("", description="Who answers for it: a person, a team or an address; kept with every model.")


class Synthetic(Section):
    baskets: int = Field(40_000, ge=100, le=50_000_000, description="Baskets to generate.")
    weeks: int = Field(20, ge=2, le=520, description="Fiscal weeks that they are spread over.")
    seed: Seed = Field(7, description="Seed: the same seed gives the same rows.")
    noise: Share = Field(
        0.0, description="Share of labels drawn anew at random, 0 to 1; enough of it makes gates fail."
    )


class Data(Section):
    input: Folder | None = Field(
        None,
        description="CSV file, folder of weekly CSV files, or parquet; empty = the built-in synthetic data. "
        "A relative path starts at this file's folder.",
    )
    synthetic: Synthetic = Field(_DEFAULTS, description="The built-in synthetic data, used when input is empty.")


class Etl(Section):
    engine: Literal["container", "spark", "kubernetes"] = Field(
        "container",
        description="In a cloud: container = DuckDB on one machine, spark = a cluster, for data that outgrows one. "
        "kubernetes = DuckDB in a Job on the cluster that deploy.kubernetes tells. All give the same rows. "
        "On local, container is this machine, and there is no spark.",
    )
    max_quarantined: Share = Field(
        0.01, description="Share of rows, 0 to 1, that may break the contract before the run stops."
    )
    memory_mb: int = Field(700, ge=200, le=1_000_000, description="Memory limit of the SQL engine in MB.")
    threads: int = Field(2, ge=1, le=256, description="Threads of the SQL engine.")
    max_minutes: int = Field(
        120, ge=5, le=7200, description="Minutes after which a Job on Kubernetes is ended, waiting included."
    )


class Features(Section):
    SHORTHAND: ClassVar[str | None] = "set"

    set: Literal["leanings", "seed"] = Field(
        "leanings",
        description="leanings = learned from the labels, product by product; seed = nine plain columns, the baseline.",
    )
    folds: int = Field(
        5, ge=2, le=20, description="Folds in which leanings are learned, so that no basket sees its own label."
    )
    sweeps: int = Field(14, ge=3, le=100, description="Passes of the leanings' learning over all products.")


class Train(Section):
    algorithms: tuple[str, ...] = Field(
        ("decision_tree", "random_forest", "logistic_regression", "xgboost"),
        strict=False,
        min_length=1,
        description="Algorithms to train; the best that passes the gates is registered.",
    )
    test_weeks: int | None = Field(
        None, ge=1, le=520, description="Last weeks held out for the test; empty = about the last eighth, at least 1."
    )
    max_baskets: int | None = Field(
        None, ge=100, le=1_000_000_000, description="Training baskets at most, drawn at random; empty = all."
    )
    seed: Seed = Field(7, description="Seed of everything random in training.")
    params: dict[str, dict[str, Any]] = Field({}, description="Parameters by algorithm, over its defaults.")


class Tune(Section):
    trials: int = Field(30, ge=2, le=10_000, description="Sets of parameters to try, the usual ones included.")
    patience: int = Field(12, ge=1, le=10_000, description="Trials without a better one after which the search ends.")
    folds: int = Field(
        4, ge=2, le=52, description="Steps forward in time, inside the training weeks, that a trial is judged by."
    )
    max_baskets: int = Field(
        40_000, ge=100, le=1_000_000_000, description="Training baskets that the trials use at most, drawn at random."
    )


class Gates(Section):
    accuracy: Share = Field(0.75, description="Accuracy per basket on later weeks, at least (0 to 1).")
    macro_f1: Share = Field(0.70, description="Mean of the three classes' F1, at least (0 to 1).")
    precision: Share = Field(0.65, description="Precision of each class, at least (0 to 1).")
    pricing_error: float = Field(
        -0.10,
        ge=-1,
        le=10,
        description="Change of the pricing error against one price for all, at most (-0.10 = 10 % less).",
    )
    p95_ms: float = Field(
        200, gt=0, le=600_000, description="95th percentile of a prediction's time in milliseconds, at most."
    )
    throughput_rps: float = Field(
        100, ge=0, le=10_000_000, description="Predictions a second that the server reaches, at least."
    )
    approval: Literal["optional", "required"] = Field(
        "optional",
        description="required = only versions that someone approved are deployed; a rejected one never is.",
    )


class Image(Section):
    base: str = Field(
        "python:3.11-slim-bookworm",
        pattern=r"^[a-z0-9][A-Za-z0-9._:/-]*(@sha256:[0-9a-f]{64})?$",
        max_length=400,
        description="Image that ours start from: Debian with Python 3.11; with its digest, name@sha256:…, fixed.",
    )
    allow_critical: bool = Field(
        False, description="An image in which the registry found something critical may go live all the same."
    )


_DNS = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"


class Kubernetes(Section):
    context: str = Field(
        "",
        pattern=r"^\S*$",
        max_length=253,
        description="Context of your kubeconfig, for a cluster of your own; empty = the one that `infra up` builds.",
    )
    image: str = Field(
        "",
        pattern=r"^(\S+@sha256:[0-9a-f]{64})?$",
        description="Image of the API by digest, like registry/name@sha256:…; a tag may be moved, a digest can't. "
        "Empty = the one that `image build` makes of the version.",
    )
    registry: str = Field(
        "",
        pattern=r"^([a-z0-9][a-z0-9.:/_-]*)?$",
        max_length=300,
        description="Repository that images are pushed to, like localhost:5000/retailops; empty = the target's own.",
    )
    host: str = Field(
        "",
        pattern=f"^({_DNS})?$",
        max_length=253,
        description="DNS name of the API. A cluster of your own gets an Ingress only with one.",
    )
    ingress_class: str = Field(
        "", pattern=f"^({_DNS})?$", max_length=253, description="Ingress class there; empty = the cluster's default."
    )
    tls_secret: str = Field(
        "", pattern=f"^({_DNS})?$", max_length=253, description="Secret there with the certificate of host; needs host."
    )
    replicas_min: int = Field(2, ge=2, le=1000, description="Pods at least: with one, a drained node is an outage.")
    replicas_max: int = Field(6, ge=2, le=1000, description="Pods at most, when the load asks for them.")
    cpu: float = Field(0.5, ge=0.1, le=64, description="Cores that a pod is sure of; it may use twice as many.")
    memory_mb: int = Field(512, ge=256, le=262_144, description="Memory of a pod in MB.")
    deadline_s: int = Field(
        300, ge=10, le=3600, description="Seconds that a rollout may stand still; then it is undone."
    )
    bake_s: int = Field(
        60,
        ge=0,
        le=86_400,
        description="Seconds that a new version is watched; if it is worse, it is undone.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.replicas_max < self.replicas_min:
            raise ValueError("replicas_max is at least replicas_min")
        if self.tls_secret and not self.host:
            raise ValueError("tls_secret is the certificate of a host: set host too")
        return self


class Deploy(Section):
    engine: Literal["auto", "kubernetes", "sagemaker"] = Field(
        "auto",
        description="What serves: auto = a process on local, Kubernetes on aws; kubernetes; sagemaker = its endpoint.",
    )
    host: str = Field("127.0.0.1", pattern=r"^[A-Za-z0-9.:_-]+$", max_length=253, description="Address to listen on.")
    port: int = Field(8080, ge=1, le=65_535, description="TCP port to listen on.")
    max_lines: int = Field(500, ge=1, le=100_000, description="Lines that one basket may have in a request.")
    max_baskets: int = Field(1000, ge=1, le=100_000, description="Baskets that one batch request may have.")
    max_body_kb: int = Field(1024, ge=1, le=1_048_576, description="Size of a request body in KB, at most.")
    body_timeout_s: float = Field(5, gt=0, le=600, description="Seconds that a client may take to send its body.")
    kubernetes: Kubernetes = Field(_DEFAULTS, description="The API on a cluster.")


class Monitor(Section):
    window_hours: float = Field(24, gt=0, le=8784, description="Hours that a report looks back.")
    max_psi: float = Field(
        0.25, ge=0, le=100, description="Population stability index of any feature or of the classes, at most."
    )
    min_coverage: Share = Field(
        0.8, description="Share of basket lines whose product the model knows, at least (0 to 1)."
    )
    max_error_rate: Share = Field(0.01, description="Share of requests that end in a server error, at most (0 to 1).")
    min_predictions: int = Field(
        200, ge=1, le=1_000_000_000, description="Predictions below which drift is not judged."
    )
    retention_days: int = Field(14, ge=1, le=3660, description="Days that logged predictions are kept.")


class Cost(Section):
    monthly_budget_usd: float = Field(250, ge=0, le=10_000_000, description="Budget a month in US dollars.")
    scenario: Literal["always", "working-hours", "parked"] = Field(
        "always", description="How it is run, which is what the budget is held against."
    )
    hours_per_week: float = Field(
        40, gt=0, le=168, description="Hours a week that it is awake in the scenario working-hours; parked otherwise."
    )


class Config(Section):
    """retail.yaml with environment and flags laid over it; `load` adds one section a target at its end."""

    version: Literal[1] = Field(1, description="Version of this file's format.")
    project: Project = Field(_DEFAULTS, description="What is built, and whose it is.")
    target: str = Field("local", description="Where everything runs.")
    data: Data = Field(_DEFAULTS, description="Where the transactions come from.")
    etl: Etl = Field(_DEFAULTS, description="From raw rows to baskets.")
    features: Features = Field(
        _DEFAULTS, description="What a model sees of a basket; `features: seed` is short for its set."
    )
    train: Train = Field(_DEFAULTS, description="What is trained, and on what.")
    tune: Tune = Field(_DEFAULTS, description="How parameters are searched.")
    gates: Gates = Field(_DEFAULTS, description="Numbers a model and its server must reach before they are used.")
    image: Image = Field(_DEFAULTS, description="What containers are made of.")
    deploy: Deploy = Field(_DEFAULTS, description="The prediction API.")
    monitor: Monitor = Field(_DEFAULTS, description="When a live model needs a look.")
    cost: Cost = Field(_DEFAULTS, description="What it may cost.")

    _path: Path = PrivateAttr(default=Path("retail.yaml"))
    _origins: Mapping[str, str] = PrivateAttr(default_factory=dict)

    def model_post_init(self, context: Any) -> None:
        self._path = (context or {}).get("path", self._path)
        self._origins = (context or {}).get("origins", self._origins)

    @property
    def path(self) -> Path:
        """The file that was read, absolute."""
        return self._path

    @property
    def folder(self) -> Path:
        """The file's folder, absolute: relative paths in the file start here."""
        return self._path.parent

    def settings(self, name: str) -> Any:
        """The section of the target `name`: an instance of the settings model that was passed to `load`."""
        return getattr(self, name)

    def origin(self, key: str) -> str:
        """Where the value of a dotted key came from: `retail.yaml:12`, `env RETAILOPS_A__B`, `--flag` or `default`."""
        return self._origins.get(key, "default")

    def flat(self) -> dict[str, Any]:
        """Dotted key → plain value, in the file's order. Another target's section is left out unless it was written."""
        rows: dict[str, Any] = {}
        for name, value in self.model_dump(mode="json").items():
            other_target = name not in Config.model_fields and name != self.target
            if not (other_target and name not in self._origins):
                _flatten(name, value, rows)
        return rows


def _flatten(key: str, value: Any, rows: dict[str, Any]) -> None:
    if isinstance(value, dict) and value:
        for name, below in value.items():
            _flatten(f"{key}.{name}", below, rows)
    else:
        rows[key] = value
