"""Floor 4, aws: the API on a SageMaker endpoint: one address, versions that take one another's place behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from typing import Any, Literal

from retailops.errors import NotReady, RetailOpsError, TargetFailed, Unsupported
from retailops.ports import Change, Endpoint, Images, Models, ModelVersion, Rendering
from retailops.progress import Progress
from retailops.retail.predictor import Predictor
from retailops.targets.aws.bill import HOURS, cents
from retailops.targets.aws.endpoint_guards import Alarms, Scaling
from retailops.targets.aws.endpoint_history import Edition, History
from retailops.targets.aws.endpoint_image import image, require
from retailops.targets.aws.endpoint_logs import EndpointLogs
from retailops.targets.aws.endpoint_plan import Plan, endpoint_name, plan
from retailops.targets.aws.endpoint_proof import prove
from retailops.targets.aws.endpoint_switch import BUSY, Patience, Switch, once
from retailops.targets.aws.inventory.account import unless_gone
from retailops.targets.aws.prices import load
from retailops.targets.aws.session import Session, translated
from retailops.targets.aws.state import State


class SageMakerServing:
    """Model and configuration are called by their content, so that each step of a deploy that was cut off is found."""

    def __init__(self, session: Session, images: Images, models: Models, patience: Patience | None = None) -> None:
        patience = patience or Patience()
        self._session = session
        self._images = images
        self._models = models
        self._alarms = Alarms(session)
        self._scaling = Scaling(session)
        self._history = History(session, patience.young)
        self._switch = Switch(session, self._alarms, self._scaling, patience)

    def changes(self) -> list[Change]:
        """The machines that a roll-out would start, or replace by others, with what they cost a month."""
        wanted = self._session.settings.endpoint
        with translated("Looking at the endpoint"):
            found = self._switch.state()
            live = self._history.edition(found["EndpointConfigName"]) if found else None
        now = (live.variant["InitialInstanceCount"], live.variant["InstanceType"]) if live else None
        if now == (wanted.instances_min, wanted.instance):
            return []
        price = load(self._session.settings.region).of(f"sagemaker.{wanted.instance}").usd
        detail = f"{wanted.instances_min} × {wanted.instance}" + (f" for {now[0]} × {now[1]}" if now else "")
        monthly = cents(HOURS * wanted.instances_min, price)
        return [Change("update" if now else "create", "SageMaker endpoint", self._name, detail, monthly)]

    def roll_out(self, model: ModelVersion, progress: Progress) -> Endpoint:
        """Serve `model`; see ports.Serving. Cut off anywhere, the same again goes on from there."""
        progress.stage(f"Checking the bundle of version {model.version}")
        predictor = Predictor.open(model.run.bundle, model.version)
        with translated(f"Deploying version {model.version} to the endpoint {self._name}"):
            reference = image(self._session, self._images, model, progress)
            coming = self._made(plan(self._session, model, reference))
            return self._live(coming, predictor, progress)

    def roll_back(self, to: int | None, progress: Progress) -> Endpoint:
        """See ports.Serving: model and limits come back together, as one configuration."""
        with translated(f"Going back with the endpoint {self._name}"):
            live = self.endpoint() if self._switch.settled(progress) else None
            if live is None:
                raise NotReady("Nothing is deployed, so there is nothing to go back to.", "Run: retailops deploy")
            served = live.earlier(to)
            config = str((served.detail if served else live.detail)["config"])
            back = self._history.edition(config)
            if back is None:
                raise NotReady(f"The configuration {config} is gone.", "Deploy it: retailops deploy --version N")
            progress.stage(f"Checking the bundle of version {back.version}")
            return self._live(back, self._reopened(back), progress, returned=True)

    def rendering(self) -> Rendering:
        raise Unsupported(
            "deploy.engine is sagemaker, so there are no Kubernetes manifests.",
            "Set deploy.engine: kubernetes in retail.yaml.",
        )

    def endpoint(self) -> Endpoint | None:
        """As SageMaker tells of it at this moment; one that is parked is told as such, None when there is none."""
        with translated("Looking at the endpoint"):
            found = self._switch.state()
            config = found["EndpointConfigName"] if found else self._parked()
            if not config:
                return None
            edition = self._history.edition(config)
            before = tuple(each.as_served for each in self._history.before(config))
        since = (edition.served if edition else "") or str(found.get("CreationTime", ""))
        detail = self._detail(found, config, edition)
        if edition is None:  # somebody else's, under our name
            return Endpoint(self._url, 0, "unreachable", since, detail, before=before)
        return Endpoint(
            self._url,
            edition.version,
            _state(found),
            since,
            detail,
            settings=edition.settings,
            before=before,
            returned=edition.returned,
        )

    def logs(self, lines: int, follow: bool) -> Iterator[str]:
        """What its servers say, all machines in one; with `follow`, further lines as they come."""
        return EndpointLogs(self._session, self._name).tail(lines, follow)

    def _made(self, wanted: Plan) -> Edition:
        """Model and configuration, there already or made."""
        EndpointLogs(self._session, self._name).prepare()
        if not self._has_model(wanted.model["ModelName"]):
            once(lambda: self._sagemaker.create_model(**wanted.model))
        edition = self._history.edition(wanted.name)
        if edition is None:
            once(lambda: self._sagemaker.create_endpoint_config(**wanted.config))
            edition = self._history.edition(wanted.name)
        if edition is None:
            raise TargetFailed(f"SageMaker took the configuration {wanted.name} and doesn't have it.", "Try again.")
        return edition

    def _live(self, coming: Edition, predictor: Predictor, progress: Progress, *, returned: bool = False) -> Endpoint:
        """Bring `coming` into service, prove it, and only then call it good; else what served before serves on."""
        found = self._switch.settled(progress)
        live = self._history.edition(found["EndpointConfigName"]) if found else None
        if live is None or live.config != coming.config:
            self._history.announce(coming, returned=returned)
        try:
            self._switch.to(coming, live, progress)
        except Exception:
            self._recover(coming)
            raise
        progress.stage(f"Proving version {coming.version} through the endpoint")
        try:
            rows = prove(self._session, self._name, predictor)
        except RetailOpsError as problem:
            if live is not None and live.config == coming.config and live.served:
                raise  # it had been found good before: there is nothing of ours to undo
            self._require_still(coming)
            raise self._undone(coming, problem, progress) from problem
        progress.note(f"{rows} golden rows came out of the endpoint as they did in training")
        self._alarms.put(coming.config)
        self._scaling.put()
        self._history.note(coming, returned=returned)
        self._tidy(coming)
        endpoint = self.endpoint()
        if endpoint is None or endpoint.state != "ready":
            raise TargetFailed(f"Version {coming.version} went live and is gone.", "Look at: retailops logs")
        return endpoint

    def _require_still(self, coming: Edition) -> None:
        """TargetFailed when the endpoint isn't this configuration's any more: what isn't ours isn't undone."""
        found = self._switch.state()
        if found.get("EndpointConfigName") != coming.config or found.get("EndpointStatus") in BUSY:
            raise TargetFailed(
                f"Version {coming.version} came into service, and another command has replaced it, or is about to.",
                "See what serves: retailops status",
            )

    def _undone(self, coming: Edition, problem: RetailOpsError, progress: Progress) -> RetailOpsError:
        """Go back from what is in service and wrong; the error that says so."""
        served = self._history.before(coming.config)
        if not served:
            self._switch.delete(progress)
            now = "Nothing served before, so the endpoint is gone again."
        else:
            before = served[-1]
            progress.stage(f"Going back to version {before.version}")
            self._switch.to(before, coming, progress, guarded=False)
            self._scaling.put()
            now = f"Version {before.version} serves again."
        if not coming.served:
            self._drop(coming)
        return type(problem)(f"{problem.what}\n{now}", problem.fix, details=problem.details)

    def _recover(self, coming: Edition) -> None:
        """After an update that came to nothing: the old machines scale again, and what nobody uses goes."""
        from botocore.exceptions import BotoCoreError, ClientError

        with suppress(BotoCoreError, ClientError):  # what has gone wrong before is what is told
            found = self._switch.state()
            if found.get("EndpointStatus") == "InService":
                self._scaling.put()
            used = found.get("EndpointStatus") in BUSY or found.get("EndpointConfigName") == coming.config
            if not used and not coming.served:
                self._drop(coming)

    def _tidy(self, live: Edition) -> None:
        """Alarms of all but the live one, and what is too old to go back to."""
        old = self._history.old(live.config)
        self._alarms.remove([each.config for each in (*self._history.before(live.config), *old)])
        for each in old:
            self._history.drop(each)

    def _drop(self, edition: Edition) -> None:
        self._alarms.remove([edition.config])
        self._history.drop(edition)

    def _reopened(self, back: Edition) -> Predictor:
        """The bundle of a configuration, proved. NotReady when something of it is gone: nothing was changed."""
        model = next((each for each in self._models.versions() if each.version == back.version), None)
        if model is None or model.run.bundle_hash != back.bundle:
            raise NotReady(
                f"Version {back.version} isn't in the registry as it was when it served. Nothing was changed.",
                "List the versions: retailops models list",
            )
        with unless_gone():
            told = self._sagemaker.describe_model(ModelName=back.model)
            require(self._session, told["PrimaryContainer"]["Image"])
            return Predictor.open(model.run.bundle, back.version)
        raise NotReady(
            f"SageMaker's model {back.model} is gone, so version {back.version} can't come back as it was.",
            f"Deploy it anew: retailops deploy --version {back.version}",
        )

    def _detail(self, found: dict[str, Any], config: str, edition: Edition | None) -> dict[str, Any]:
        machines = self._session.settings.endpoint
        told: dict[str, Any] = {
            "engine": "sagemaker",
            "endpoint": self._name,
            "config": config,
            "status": found.get("EndpointStatus", "parked"),
            "ask": f"aws sagemaker-runtime invoke-endpoint --endpoint-name {self._name} --region "
            f"{self._session.settings.region} --content-type application/json "
            "--cli-binary-format raw-in-base64-out /dev/stdout --body",
        }
        if edition is not None:
            told |= {"bundle_hash": edition.bundle, "instance": edition.variant.get("InstanceType")}
        for variant in found.get("ProductionVariants", [])[:1]:
            told["instances"], told["instances_max"] = variant.get("CurrentInstanceCount"), machines.instances_max
            told["machines"] = f"{told['instances']} × {told.get('instance')}, at most {told['instances_max']}"
        if not found:
            told["why"] = "it is parked: retailops infra wake brings it back"
        elif reason := found.get("FailureReason"):
            told["why"] = reason
        return told

    def _parked(self) -> str:
        """The configuration that an endpoint had when it was parked; "" when it wasn't."""
        from retailops.targets.aws.parking import RECORD

        parked = State(self._session).read(RECORD).get("endpoints", {})
        return str(parked.get(self._name, {}).get("config", ""))

    def _has_model(self, name: str) -> bool:
        with unless_gone():
            self._sagemaker.describe_model(ModelName=name)
            return True
        return False

    @property
    def _name(self) -> str:
        return endpoint_name(self._session.names)

    @property
    def _url(self) -> str:
        region = self._session.settings.region
        domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        return f"https://runtime.sagemaker.{region}.{domain}/endpoints/{self._name}/invocations"

    @cached_property
    def _sagemaker(self) -> Any:
        return self._session.client("sagemaker")


def _state(found: dict[str, Any]) -> Literal["ready", "starting", "unreachable"]:
    status = found.get("EndpointStatus")
    if status in ("InService", "Updating", "RollingBack", "SystemUpdating"):
        return "ready"
    return "starting" if status == "Creating" else "unreachable"
