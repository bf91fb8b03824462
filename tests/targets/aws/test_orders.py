"""What SageMaker is asked for: names that fit, machines, keys, networks; and what its failures mean."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

import retailops
from emulator import Emulator, grounds
from retailops.config import Config
from retailops.errors import ConfigError, GateFailed, NotReady
from retailops.ports import Job
from retailops.targets.aws import job_endings
from retailops.targets.aws.job_logs import JobLogs
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.orders import PROCESSING, TRAINING, Orders
from retailops.targets.aws.session import Session

KEY = "0123456789abcdef"
Order = Callable[..., dict[str, Any]]


@pytest.fixture
def orders(aws: Emulator, configured: Callable[[str], Config], loaded: boto3.Session) -> Callable[[str], Orders]:
    def make(text: str = "") -> Orders:
        session = Session(configured(text))
        session.__dict__["_boto"] = loaded
        grounds.lay(aws, session.names.prefix)
        return Orders(session, Mirror(session))

    return make


def train(orders: Orders) -> dict[str, Any]:
    job = Job("train", KEY, {}, {})
    return orders.request(job, orders.name(job, 1))


def test_names_are_the_prefix_the_kind_and_the_key(orders: Callable[[str], Orders]) -> None:
    made = orders("")
    assert made.name(Job("etl", KEY, {}, {}), 1) == f"retail-demo-dev-etl-{KEY}"
    assert made.name(Job("train", KEY, {}, {}), 12) == f"retail-demo-dev-train-{KEY}-12"


@pytest.mark.parametrize("kind", ["etl", "features", "train", "predict"])
def test_the_longest_names_fit_and_still_begin_with_the_prefix(orders: Callable[[str], Orders], kind: Any) -> None:
    made = orders(f"project: {{name: {'p' * 30}, environment: staging}}\n")
    names = {made.name(Job(kind, KEY, {}, {}), attempt) for attempt in (1, 2, 99)}
    assert len(names) == 3 and all(len(name) <= 63 and name.startswith("p" * 30 + "-staging-") for name in names)


def test_jobs_have_no_network_our_key_our_tags_and_an_end(orders: Callable[[str], Orders], aws: Emulator) -> None:
    made = orders("")
    training = train(made)
    job = Job("etl", KEY, {}, {"threads": 2})
    etl = made.request(job, made.name(job, 1))
    key = aws.client("kms").describe_key(KeyId="alias/retail-demo-dev-data")["KeyMetadata"]["Arn"]
    assert training["EnableNetworkIsolation"] is True and etl["NetworkConfig"] == {"EnableNetworkIsolation": True}
    assert training["ResourceConfig"]["VolumeKmsKeyId"] == key == training["OutputDataConfig"]["KmsKeyId"]
    assert etl["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"] == key
    assert etl["ProcessingOutputConfig"]["KmsKeyId"] == key
    assert {"Key": "retailops:project", "Value": "retail-demo"} in training["Tags"]
    assert training["StoppingCondition"] == {"MaxRuntimeInSeconds": 240 * 60, "MaxWaitTimeInSeconds": 480 * 60}
    assert etl["StoppingCondition"] == {"MaxRuntimeInSeconds": 120 * 60}
    assert (training["RoleArn"][-25:], etl["RoleArn"][-19:]) == ("retail-demo-dev-sagemaker", "retail-demo-dev-etl")


def test_without_spot_nothing_waits(orders: Callable[[str], Orders]) -> None:
    asked = train(orders("aws: {training: {spot: false}}\n"))
    assert asked["EnableManagedSpotTraining"] is False
    assert asked["StoppingCondition"] == {"MaxRuntimeInSeconds": 240 * 60}


@pytest.mark.parametrize("instances", [1, 2])
def test_several_machines_are_told_who_they_are_and_talk_in_secret(
    orders: Callable[[str], Orders], instances: int
) -> None:
    asked = train(orders(f"aws: {{training: {{instances: {instances}}}}}\n"))
    assert asked["ResourceConfig"]["InstanceCount"] == instances and asked["EnableNetworkIsolation"] is True
    assert asked["EnableInterContainerTrafficEncryption"] is (instances > 1)
    told = "--hosts=/opt/ml/input/config/resourceconfig.json" in asked["AlgorithmSpecification"]["ContainerArguments"]
    assert told is (instances > 1)


def test_a_machine_with_a_disk_of_its_own_takes_no_key_for_it(orders: Callable[[str], Orders]) -> None:
    assert "VolumeKmsKeyId" not in train(orders("aws: {training: {instance: ml.m5d.large}}\n"))["ResourceConfig"]


def test_jobs_run_in_the_worker_that_was_pushed_last_by_this_version(
    orders: Callable[[str], Orders], aws: Emulator
) -> None:
    made = orders("")
    newest = grounds.push(aws, f"worker-{retailops.__version__}-{'1' * 12}")
    grounds.push(aws, f"worker-9.9.9-{'2' * 12}")
    grounds.push(aws, f"v1-12345678-{'3' * 12}")
    uri = "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/retail-demo-dev"
    assert train(made)["AlgorithmSpecification"]["TrainingImage"] == f"{uri}@{newest}"


def test_jobs_run_in_the_image_that_is_named(orders: Callable[[str], Orders]) -> None:
    asked = train(orders("aws: {image: 'registry.example/shop:7'}\n"))
    assert asked["AlgorithmSpecification"]["TrainingImage"] == "registry.example/shop:7"


def test_without_an_image_a_job_says_how_it_is_built(orders: Callable[[str], Orders], aws: Emulator) -> None:
    made = orders("")
    aws.client("ecr").delete_repository(repositoryName="retail-demo-dev", force=True)
    with pytest.raises(NotReady, match="image build --worker"):
        train(made)


@pytest.mark.parametrize(
    "text",
    [
        "aws: {training: {instance: ml.g5.xlarge}}\n",
        "aws: {training: {instance: ml.m7g.large}}\n",
        "aws: {training: {max_minutes: 500}}\n",
        "aws: {image: no-tag}\n",
    ],
)
def test_a_machine_the_image_cannot_run_on_and_a_wait_that_is_too_short_are_refused(
    configured: Callable[[str], Config], text: str
) -> None:
    with pytest.raises(ConfigError):
        configured(text)


CAUSES = [
    ("CapacityError: Unable to provision requested ML compute capacity due to InsufficientCapacity", "no machine"),
    ("ClientError: Cannot pull image 1.dkr.ecr.x.amazonaws.com/a:b, repository does not exist", "load the image"),
    ("AlgorithmError: , exit code: 137", "memory"),
    ("AlgorithmError: OutOfMemoryError. Please use a larger instance", "memory"),
    ("ClientError: Data download failed: No S3 objects found under S3 URL 's3://a/b'", "isn't on S3"),
    ("ClientError: Access denied when calling s3:GetObject", "may not do"),
    ("InternalServerError: We encountered an internal error. Please try again.", "SageMaker failed"),
    ("AlgorithmError: No space left on device", "disk is full"),
]


def logs(folder: Path) -> JobLogs:
    return JobLogs(None, "/aws/sagemaker/TrainingJobs", "some-job", folder / "log")


@pytest.mark.parametrize(("reason", "words"), CAUSES)
def test_what_sagemaker_says_is_translated_and_told(tmp_path: Path, reason: str, words: str) -> None:
    told = job_endings.failure(TRAINING, {"TrainingJobStatus": "Failed", "FailureReason": reason}, logs(tmp_path))
    assert words in told.what and reason in told.what and told.fix and told.code == 5


@pytest.mark.parametrize(
    ("second", "words"), [("MaxRuntimeExceeded", "max_minutes"), ("MaxWaitTimeExceeded", "spot: false")]
)
def test_a_job_that_took_too_long_says_what_allows_more(tmp_path: Path, second: str, words: str) -> None:
    description = {"TrainingJobStatus": "Stopped", "SecondaryStatus": second}
    assert words in job_endings.failure(TRAINING, description, logs(tmp_path)).fix


def test_the_workers_last_words_count_however_they_are_wrapped(tmp_path: Path) -> None:
    words = '{"code": 4, "what": "Too many rows.", "fix": "Look."}'
    description = {"ProcessingJobStatus": "Failed", "ExitMessage": words}
    told = job_endings.failure(PROCESSING, description, logs(tmp_path))
    assert isinstance(told, GateFailed) and (told.what, told.fix) == ("Too many rows.", "Look.")
    wrapped = {"TrainingJobStatus": "Failed", "FailureReason": f"AlgorithmError: {words}, exit code: 4"}
    assert isinstance(job_endings.failure(TRAINING, wrapped, logs(tmp_path)), GateFailed)
    cut = {"TrainingJobStatus": "Failed", "FailureReason": f"AlgorithmError: {words[:30]}"}
    assert job_endings.failure(TRAINING, cut, logs(tmp_path)).code == 5
