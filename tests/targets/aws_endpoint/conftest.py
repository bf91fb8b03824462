"""A project whose API is a SageMaker endpoint: its account, its images, and servers that really answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from emulator import Emulator, Hosting, Request, Response, grounds
from emulator.fleet import Image as Content
from emulator.planting import PREFIX
from retailops import config as configuration
from retailops import targets
from retailops.ports import Image, ModelVersion, Run
from retailops.progress import Progress
from retailops.retail.bundle import Bundle
from retailops.targets.aws.endpoint import SageMakerServing
from retailops.targets.aws.endpoint_switch import Patience
from retailops.targets.aws.inventory.account import Account
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.models import AwsModels
from retailops.targets.aws.packages import Packages
from retailops.targets.aws.session import Session

NAME = f"{PREFIX}-api"
_CHANGING = ("Add", "Create", "Delete", "Deregister", "Put", "Register", "Update")


class Shelf:
    """ports.Images over the emulated ECR: an image is a manifest there, and here the bundle that it would hold."""

    def __init__(self, aws: Emulator, hosting: Hosting) -> None:
        self._aws = aws
        self._ecr = aws.client("ecr")
        self._hosting = hosting
        self._base = f"{aws.account}.dkr.ecr.{aws.region}.amazonaws.com/{PREFIX}"
        self.built: list[int] = []

    def build(self, model: ModelVersion | None, progress: Progress, *, push: bool = True) -> Image:
        assert model is not None
        self.built.append(model.version)
        return self.push(model.version, model.run.bundle)

    def find(self, model: ModelVersion | None) -> Image | None:
        assert model is not None
        found = self._ecr.describe_images(repositoryName=PREFIX)["imageDetails"]
        mine = [each for each in found if f"api-{model.version}" in each.get("imageTags", [])]
        return self._image(mine[-1]["imageDigest"], model.version) if mine else None

    def push(self, version: int, bundle: Path) -> Image:
        """An image of this version that holds `bundle`, whether that is the version's or not."""
        digest = grounds.push(self._aws, f"api-{version}")
        image = self._image(digest, version)
        self._hosting.images[image.reference] = Content(bundle, version)
        return image

    def _image(self, digest: str, version: int) -> Image:
        return Image(f"{self._base}@{digest}", f"api-{version}", 1)


@dataclass
class Place:
    """The project's account, from outside and from inside."""

    aws: Emulator
    hosting: Hosting
    folder: Path
    shelf: Shelf
    bundles: list[Path]
    loaded: boto3.Session
    asked: list[str] = field(default_factory=list)  # changing calls, in order

    def session(self, text: str = "", deploy: str = "") -> Session:
        """As a command has it, with more of the `aws` section, and of `deploy`."""
        path = self.folder / "retail.yaml"
        extra = f", {deploy}" if deploy else ""
        path.write_text(f"version: 1\ntarget: aws\ndeploy: {{engine: sagemaker{extra}}}\naws: {{{text}}}\n")
        config = configuration.load(path, targets=targets.settings(), algorithms=["xgboost"], environ={})
        session = Session(config)
        session.__dict__["_boto"] = self.loaded
        return session

    def serving(
        self, text: str = "", deploy: str = "", session: Session | None = None, young: timedelta = timedelta(0)
    ) -> SageMakerServing:
        session = session or self.session(text, deploy)
        return SageMakerServing(session, self.shelf, self.models, Patience(look=0.01, young=young))

    def account(self) -> Account:
        return Account(self.session())

    @property
    def models(self) -> AwsModels:
        session = self.session()
        return AwsModels(Mirror(session), Packages(session))

    def model(self, version: int, bundle: Path | None = None) -> ModelVersion:
        """A version that isn't in the registry, which only a way back asks."""
        folder = bundle or self.bundles[(version - 1) % len(self.bundles)]
        known, when = Bundle.open(folder).hash, "2026-01-02T03:04:05+00:00"
        run = Run(f"run{version}", folder.name, "d1", folder, known, when, {}, {"accuracy": 1.0})
        return ModelVersion(version, run)

    def registered(self, version: int) -> ModelVersion:
        """The same, as the registry has it: versions are registered in their order."""
        known = {each.version: each for each in self.models.versions()}
        return known.get(version) or self.models.add(self.model(version).run)

    def ask(self) -> dict[str, Any]:
        """What a client gets that knows nothing of retailops."""
        basket = json.loads((self.bundles[0] / "golden.json").read_text())[0]["basket"]
        answer = self.aws.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=NAME, ContentType="application/json", Body=json.dumps(basket)
        )
        found: dict[str, Any] = json.loads(answer["Body"].read())
        return found

    @property
    def version(self) -> int:
        version: int = self.ask()["model_version"]
        return version

    def standing(self) -> dict[str, list[str]]:
        """Everything of an endpoint that there is in the account, by kind."""
        sagemaker, scaling = self.aws.client("sagemaker"), self.aws.client("application-autoscaling")
        targets = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
        policies = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
        alarms = self.aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
        configs = sagemaker.list_endpoint_configs()["EndpointConfigs"]
        return {
            "endpoints": [each["EndpointName"] for each in sagemaker.list_endpoints()["Endpoints"]],
            "configs": sorted(each["EndpointConfigName"] for each in configs),
            "models": sorted(each["ModelName"] for each in sagemaker.list_models()["Models"]),
            "targets": [f"{each['ResourceId']} {each['MinCapacity']}-{each['MaxCapacity']}" for each in targets],
            "policies": [each["PolicyName"] for each in policies],
            "alarms": sorted(each["AlarmName"] for each in alarms if not each["AlarmName"].startswith("Target")),
            "tracking": sorted(
                each["AlarmName"].rpartition("-Alarm")[2].partition("-")[0]
                for each in alarms
                if each["AlarmName"].startswith("Target")
            ),
        }

    def listen(self, request: Request) -> Response | None:
        name = request.target.rpartition(".")[2] or request.form.get("Action", "")
        if name.startswith(_CHANGING):
            self.asked.append(name)
        return None


@pytest.fixture
def place(aws: Emulator, tmp_path: Path, trained: Any, loaded: boto3.Session) -> Iterator[Place]:
    grounds.lay(aws)
    kms = aws.client("kms")
    platform = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=f"alias/{PREFIX}-platform", TargetKeyId=platform)
    bundles = [trained.folder / name for name in ("xgboost", "random_forest", "decision_tree")]
    with Hosting(aws, tmp_path / "machines") as hosting:
        made = Place(aws, hosting, tmp_path, Shelf(aws, hosting), bundles, loaded)
        aws.answer(made.listen)
        yield made
