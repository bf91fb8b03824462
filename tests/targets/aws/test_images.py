"""Images in ECR: login, immutable tags, what was pushed last, and the gate on what the scan found.

ECR's API is the emulator's, which keeps manifests and tags, takes no layers and scans nothing. So where a test needs no
image, a stand-in for docker plays a push: what ECR keeps of one is put there through its own API. With a real engine
and a real registry (the last test), the image is built and pushed for real, to that registry in ECR's place.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

import clusters
from emulator import Emulator, grounds
from retailops.config import Config
from retailops.errors import GateFailed, NotReady
from retailops.ports import ModelVersion, Run
from retailops.progress import Silent
from retailops.retail.bundle import Bundle
from retailops.targets.aws.images import AwsImages, Patience
from retailops.targets.aws.session import Session
from retailops.tools.docker import Docker, Local, Pushed

REPOSITORY = "retail-demo-dev"
URI = f"123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/{REPOSITORY}"
HURRY = Patience(scan=0.5, begin=0.5, look=0.01)


class PlayedDocker(Docker):
    """An engine that has every image, and whose push leaves in ECR what a real one leaves there."""

    def __init__(self, aws: Emulator, log: Path, scanned: bool = True) -> None:
        super().__init__(log)
        self._aws = aws
        self._scanned = scanned
        self.logins: list[tuple[str, str, str]] = []
        self.pushed_tags: list[str] = []

    def require(self) -> None:
        return None

    def local(self, name: str) -> Local | None:
        return Local("sha256:base", 400_000_000, {})

    def tag(self, name: str, further: str) -> None:
        return None

    def push(self, tag: str, progress: Any) -> Pushed:
        self.pushed_tags.append(tag)
        digest = grounds.push(self._aws, tag.rpartition(":")[2])
        if self._scanned:  # as ECR itself does with scanOnPush
            self._aws.client("ecr").start_image_scan(repositoryName=REPOSITORY, imageId={"imageDigest": digest})
        return Pushed(digest, 0)

    @contextmanager
    def logged_in(self, registry: str, user: str, password: str) -> Iterator[Docker]:
        self.logins.append((registry, user, password))
        yield self


class Told(Silent):
    """Notes, and a step to take when the scan is waited for."""

    def __init__(self, waited: Callable[[], None] = lambda: None) -> None:
        self.notes: list[str] = []
        self.doing: list[str] = []
        self._waited = waited

    def advance(self, done: int, doing: str = "") -> None:
        self.doing.append(doing)
        if doing == "in progress":
            self._waited()

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def model(tmp_path: Path) -> ModelVersion:
    run = Run("r1", "xgboost", "d1", tmp_path, "abcdef12" * 8, "2026-01-01T00:00:00Z", {}, {})
    return ModelVersion(3, run)


@pytest.fixture
def ground(aws: Emulator) -> Emulator:
    grounds.lay(aws)
    return aws


@pytest.fixture
def images(
    ground: Emulator, configured: Callable[[str], Config], loaded: boto3.Session, tmp_path: Path
) -> Callable[..., AwsImages]:
    def make(text: str = "", docker: Docker | None = None) -> AwsImages:
        session = Session(configured(text))
        session.__dict__["_boto"] = loaded
        return AwsImages(session, docker or PlayedDocker(ground, tmp_path / "log"), HURRY)

    return make


def found_by_scan(aws: Emulator, status: str, counts: dict[str, int]) -> None:
    """What ECR's scans of this repository say from now on."""
    from moto.ecr.models import ecr_backends

    backend = ecr_backends[aws.account][aws.region]
    told = {"imageScanFindings": {"findingSeverityCounts": counts}, "imageScanStatus": {"status": status}}
    backend.describe_image_scan_findings = lambda registry_id, repository_name, image_id: told


def test_a_build_logs_in_pushes_an_immutable_tag_and_is_found_by_its_digest(
    images: Callable[..., AwsImages], ground: Emulator, model: ModelVersion, tmp_path: Path
) -> None:
    docker = PlayedDocker(ground, tmp_path / "log")
    made = images(docker=docker)
    built = made.build(model, Silent())
    assert built.reference.startswith(f"{URI}@sha256:") and built.tag.startswith("v3-abcdef12-")
    assert docker.pushed_tags == [f"{URI}:{built.tag}"]
    assert docker.logins == [
        ("https://123456789012.dkr.ecr.ap-southeast-1.amazonaws.com", "AWS", "123456789012-auth-token")
    ]
    found = made.find(model)
    assert found is not None and (found.reference, found.tag) == (built.reference, built.tag)
    again = made.build(model, Silent())
    assert again.reference == built.reference and again.detail["reused"] and len(docker.pushed_tags) == 1
    assert made.find(replace(model, version=4)) is None


def test_the_worker_that_is_built_is_what_jobs_run_in(images: Callable[..., AwsImages], ground: Emulator) -> None:
    from retailops.targets.aws.images import for_jobs

    made = images()
    built = made.build(None, Silent())
    assert for_jobs(made._session) == built.reference


def test_without_infrastructure_it_says_so(
    images: Callable[..., AwsImages], ground: Emulator, model: ModelVersion
) -> None:
    ground.client("ecr").delete_repository(repositoryName=REPOSITORY, force=True)
    with pytest.raises(NotReady, match="infra up") as caught:
        images().build(model, Silent())
    assert REPOSITORY in caught.value.what
    assert images().find(model) is None


def test_what_the_scan_calls_critical_does_not_go_live(
    images: Callable[..., AwsImages], ground: Emulator, model: ModelVersion
) -> None:
    found_by_scan(ground, "COMPLETE", {"CRITICAL": 2, "LOW": 7})
    with pytest.raises(GateFailed, match="2 critical faults") as caught:
        images().build(model, Silent())
    assert caught.value.details["findings"] == {"CRITICAL": 2, "LOW": 7} and "allow_critical" in caught.value.fix
    with pytest.raises(GateFailed):
        images().find(model)  # nor later, by another command
    allowed = images("image: {allow_critical: true}\n")
    assert allowed.build(model, Silent()).findings == {"CRITICAL": 2, "LOW": 7}
    assert allowed.find(model) is not None


def test_a_scan_is_waited_for(images: Callable[..., AwsImages], ground: Emulator, model: ModelVersion) -> None:
    found_by_scan(ground, "IN_PROGRESS", {})
    progress = Told(lambda: found_by_scan(ground, "COMPLETE", {"HIGH": 1}))
    assert images().build(model, progress).findings == {"CRITICAL": 0, "HIGH": 1}
    assert progress.doing[:1] == ["in progress"] and progress.doing[-1] == "complete" and not progress.notes


@pytest.mark.parametrize("status", ["FAILED", "UNSUPPORTED_IMAGE", "SCAN_ELIGIBILITY_EXPIRED"])
def test_a_scan_that_cannot_be_had_is_a_warning(
    images: Callable[..., AwsImages], ground: Emulator, model: ModelVersion, status: str
) -> None:
    found_by_scan(ground, status, {})
    progress = Told()
    assert images().build(model, progress).findings == {}
    assert status in progress.notes[0]


def test_a_scan_that_takes_too_long_or_never_begins_is_a_warning(
    images: Callable[..., AwsImages], ground: Emulator, model: ModelVersion, tmp_path: Path
) -> None:
    progress = Told()
    images(docker=PlayedDocker(ground, tmp_path / "log", scanned=False)).build(model, progress)
    assert "scans nothing" in progress.notes[0]
    found_by_scan(ground, "PENDING", {})
    images().build(replace(model, version=4), progress)
    assert "hasn't ended" in progress.notes[1]


class BridgedDocker(Docker):
    """A real engine and a real registry, which stands where ECR's addresses lead; ECR's API is told what was pushed."""

    def __init__(self, aws: Emulator, log: Path, registry: str) -> None:
        super().__init__(log)
        self._aws = aws
        self.place = f"{registry}/tests/ecr"

    def tag(self, name: str, further: str) -> None:
        super().tag(name, further.replace(URI, self.place))

    def push(self, tag: str, progress: Any) -> Pushed:
        real = tag.replace(URI, self.place)
        done = super().push(real, progress)
        words = ["docker", "manifest", "inspect", "--verbose", "--insecure", real]
        told = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
        digest = grounds.push(self._aws, tag.rpartition(":")[2], manifest=base64.b64decode(told["Raw"]).decode())
        self._aws.client("ecr").start_image_scan(repositoryName=REPOSITORY, imageId={"imageDigest": digest})
        return done

    @contextmanager
    def logged_in(self, registry: str, user: str, password: str) -> Iterator[Docker]:
        yield self  # that registry asks for no password; how one is given is told in tests/tools/test_docker.py


@pytest.mark.slow
def test_what_ecr_is_told_is_what_was_really_pushed(
    images: Callable[..., AwsImages],
    ground: Emulator,
    docker: clusters.Docker,
    registry: str,
    bundle_folder: Path,
    model: ModelVersion,
    tmp_path: Path,
) -> None:
    bundle = Bundle.open(bundle_folder)
    version = replace(model, run=replace(model.run, bundle=bundle.folder, bundle_hash=bundle.hash))
    bridged = BridgedDocker(ground, tmp_path / "log", registry)
    built = images(docker=bridged).build(version, Silent())
    real = bridged.pushed(f"{bridged.place}:{built.tag}")
    assert real is not None and built.reference == f"{URI}@{real.digest}"
    docker.run("pull", "--quiet", f"{bridged.place}@{real.digest}")
    (told,) = json.loads(docker.run("image", "inspect", f"{bridged.place}@{real.digest}"))
    docker.run("rmi", "--force", told["Id"])
