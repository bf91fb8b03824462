"""Runs on S3 and versions in SageMaker's registry: each bundle once, and the way back from a version to its data."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulator, Request, Response, grounds
from retailops.config import Config
from retailops.errors import NotReady, TargetFailed, Unsupported
from retailops.ports import Run
from retailops.progress import Silent
from retailops.retail import synth
from retailops.retail.bundle import MODEL, Bundle
from retailops.retail.synth import SynthOptions
from retailops.targets.aws.lake import AwsLake
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.models import AwsModels
from retailops.targets.aws.packages import Packages
from retailops.targets.aws.session import Session

pytestmark = pytest.mark.slow  # an account in an emulator each: the contract suites have fast ones

MakeRun = Callable[..., Run]


@pytest.fixture
def mirror(swift: Session, aws: Emulator) -> Mirror:
    grounds.lay(aws)
    return Mirror(swift)


@pytest.fixture
def models(swift: Session, mirror: Mirror) -> AwsModels:
    return AwsModels(mirror, Packages(swift))


def packages(aws: Emulator, group: str = "retail-demo-dev") -> list[dict[str, Any]]:
    sagemaker = aws.client("sagemaker")
    listed = sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    return [sagemaker.describe_model_package(ModelPackageName=each["ModelPackageArn"]) for each in listed]


def test_a_version_tells_where_it_is_from_and_waits_for_approval(
    models: AwsModels, mirror: Mirror, make_run: MakeRun, aws: Emulator, tmp_path: Path
) -> None:
    synth.write(tmp_path / "weeks", SynthOptions(baskets=200, weeks=2), Silent())
    raw = AwsLake(mirror).put(tmp_path / "weeks", Silent())
    listing = json.loads((raw.folder / "files.json").read_text())["files"]
    manifest = mirror.folder("gold", "datasets", "d1", "manifest.json")
    manifest.parent.mkdir(parents=True)
    manifest.write_text(json.dumps({"inputs": [{"sha256": file["sha256"]} for file in listing]}))
    mirror.push(manifest)
    run = make_run()
    models.add(run)
    (package,) = packages(aws)
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    facts = package["CustomerMetadataProperties"]
    told = {"algorithm": "xgboost", "bundle": run.bundle_hash, "dataset": "d1", "run": run.id, "metric.accuracy": "0.9"}
    assert facts.items() >= told.items()
    s3 = aws.client("s3")

    def read(uri: str, **version: str) -> Any:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return json.loads(s3.get_object(Bucket=bucket, Key=key, **version)["Body"].read())

    assert facts["raw"] == raw.key
    files = read(facts["raw_uri"], VersionId=facts["raw_version"])["files"]
    assert [file["name"] for file in files] == list(raw.files)
    assert all(file["version"] for file in files), "from the model to the versions of the objects it was made of"
    assert read(facts["run_uri"])["scorecard"] == run.scorecard
    statistics = package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
    assert read(statistics)["multiclass_classification_metrics"]["macro_f1"] == {"value": 0.8}
    source = package["InferenceSpecification"]["Containers"][0]["ModelDataSource"]["S3DataSource"]
    assert source["S3Uri"] == f"s3://retail-demo-dev-models-{aws.account}/bundles/{run.bundle_hash}/"


def test_another_machine_has_runs_and_versions_and_fetches_the_bundle(
    models: AwsModels, mirror: Mirror, make_run: MakeRun
) -> None:
    first, second = models.record(make_run(b"one")), make_run(b"two")
    version = models.add(second)
    shutil.rmtree(mirror.root)
    assert [run.id for run in models.runs()] == [first.id, second.id]
    assert not first.bundle.exists(), "a list of runs fetches no models"
    assert models.versions() == [version]
    assert Bundle.open(version.run.bundle).hash == second.bundle_hash
    (version.run.bundle / MODEL).write_bytes(b"spoiled")
    assert models.versions() == [version]
    assert Bundle.open(version.run.bundle).read(MODEL) == b"two"


def test_a_bundle_goes_up_once(models: AwsModels, make_run: MakeRun, aws: Emulator) -> None:
    models.add(make_run())
    sent: list[str] = []

    def note(request: Request) -> None:
        if request.method == "PUT":
            sent.append(request.path)

    aws.answer(note)
    models.add(make_run())
    models.record(make_run(dataset="d2"))
    assert [path.rpartition("/")[2] for path in sent] == ["run.json"]


def test_two_that_register_the_same_at_the_same_time_make_one_version(
    models: AwsModels, make_run: MakeRun, aws: Emulator
) -> None:
    first = models.add(make_run())
    blind: list[Request] = []

    def not_listed_yet(request: Request) -> Response | None:
        if request.target == "SageMaker.ListModelPackages" and not blind:
            blind.append(request)
            return Response(b'{"ModelPackageSummaryList": []}')
        return None

    aws.answer(not_listed_yet)
    assert models.add(make_run()) == first
    assert blind and len(packages(aws)) == 1


def test_a_bundle_that_is_not_whole_is_refused_and_nothing_is_noted(models: AwsModels, make_run: MakeRun) -> None:
    run = make_run()
    with pytest.raises(TargetFailed, match="isn't the one that run"):
        models.record(dataclasses.replace(run, bundle_hash="0" * 64))
    (run.bundle / MODEL).write_bytes(b"changed")
    with pytest.raises(TargetFailed, match="refused"):
        models.add(run)
    assert models.runs() == []


def test_packages_that_others_put_into_the_group_are_passed_over(
    models: AwsModels, make_run: MakeRun, aws: Emulator
) -> None:
    aws.client("sagemaker").create_model_package(ModelPackageGroupName="retail-demo-dev")
    version = models.add(make_run())
    assert version.version == 2
    assert models.versions() == [version]


def test_without_its_group_the_registry_says_what_is_missing(
    models: AwsModels, make_run: MakeRun, aws: Emulator
) -> None:
    aws.client("sagemaker").delete_model_package_group(ModelPackageGroupName="retail-demo-dev")
    with pytest.raises(NotReady, match="model package group") as told:
        models.add(make_run())
    assert "retailops infra up" in told.value.fix


def test_another_registry_is_read_by_its_arn_and_never_written(
    aws: Emulator, configured: Callable[[str], Config], make_run: MakeRun
) -> None:
    grounds.lay(aws, "other-dev")
    grounds.lay(aws)
    theirs = Session(configured("project: {name: other}\naws: {folder: theirs}\n"))
    version = AwsModels(Mirror(theirs), Packages(theirs)).add(make_run())
    arn = f"arn:aws:sagemaker:{aws.region}:{aws.account}:model-package-group/other-dev"
    ours = Session(configured(f"aws: {{registry_arn: '{arn}'}}\n"))
    models = AwsModels(Mirror(ours), Packages(ours))
    (read,) = models.versions()
    assert dataclasses.replace(read.run, bundle=version.run.bundle) == version.run
    assert Bundle.open(read.run.bundle).hash == version.run.bundle_hash
    with pytest.raises(Unsupported, match="for reading alone"):
        models.add(make_run(b"mine"))
    assert packages(aws) == []
