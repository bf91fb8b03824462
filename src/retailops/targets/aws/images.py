"""Floor 4, aws: container images, built by docker here and kept in the project's own repository of ECR."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from retailops.errors import NotReady
from retailops.images.making import Maker, described, refuse
from retailops.images.recipe import alias
from retailops.images.registry import RegistryImages
from retailops.images.wanted import missing
from retailops.ports import Image, ModelVersion
from retailops.progress import Progress
from retailops.targets.aws.session import Session, code_of, translated
from retailops.targets.aws.waiting import until
from retailops.tools.docker import Docker

_ENDED = {"ACTIVE", "COMPLETE"}  # ACTIVE: Inspector's, which goes on looking
_NOT_YET = {"IN_PROGRESS", "PENDING", ""}


@dataclass(frozen=True)
class Patience:
    """Seconds: for a scan that was begun, for one to begin, and between two looks."""

    scan: float = 600.0
    begin: float = 60.0
    look: float = 3.0


@dataclass(frozen=True)
class Scan:
    """What ECR says of one. `status` is empty when there is none."""

    status: str
    findings: Mapping[str, int]


class AwsImages:
    """ECR has immutable tags: what was pushed last for a version is told by the time, not by a tag that moves.

    Images of the API go to deploy.kubernetes.registry where one is named; jobs pull from ECR alone.
    """

    def __init__(self, session: Session, docker: Docker | None = None, patience: Patience | None = None) -> None:
        self._session = session
        log = session.settings.folder / "docker.log"
        self._docker = docker or Docker(log)
        self._maker = Maker(self._docker, session.config)
        self._elsewhere = RegistryImages(session.config, log) if session.config.deploy.kubernetes.registry else None
        self._patience = patience or Patience()

    def build(self, model: ModelVersion | None, progress: Progress, *, push: bool = True) -> Image:
        if self._elsewhere is not None and model is not None:
            return self._elsewhere.build(model, progress, push=push)
        recipe = self._maker.recipe(model, progress)
        if not push:
            return self._maker.make(recipe, progress).image(recipe)
        uri = self._uri()
        progress.stage(f"asking for {recipe.tag}")
        known = _details(self._session, tag=recipe.tag)
        unpacked = 0
        if not known:
            made = self._maker.make(recipe, progress)
            unpacked = made.bytes
            progress.stage(f"pushing {recipe.tag}")
            with self._logged_in() as docker:
                docker.tag(made.name, f"{uri}:{recipe.tag}")
                docker.push(f"{uri}:{recipe.tag}", progress)
        image = (known or _details(self._session, tag=recipe.tag))[0]
        findings = self._scanned(image["imageDigest"], progress)
        refuse(findings, recipe.tag, self._session.config.image)
        size, reference = int(image.get("imageSizeInBytes", 0)), f"{uri}@{image['imageDigest']}"
        return described(recipe, reference, size, findings, unpacked, reused=bool(known))

    def find(self, model: ModelVersion | None) -> Image | None:
        if self._elsewhere is not None and model is not None:
            return self._elsewhere.find(model)
        image = last(self._session, model)
        if image is None:
            return None
        tag = next(each for each in image["imageTags"] if each.startswith(f"{alias(model)}-"))
        findings = _scan(self._session, image["imageDigest"]).findings
        refuse(findings, tag, self._session.config.image)
        reference = f"{self._uri()}@{image['imageDigest']}"
        return Image(reference, tag, int(image.get("imageSizeInBytes", 0)), findings)

    def _uri(self) -> str:
        """The repository's address. NotReady when it doesn't stand."""
        prefix, found = self._session.names.prefix, []
        with translated(f"Looking for the repository {prefix}"), _absent():
            found = self._session.client("ecr").describe_repositories(repositoryNames=[prefix])["repositories"]
        if not found:
            raise NotReady(
                f"There is no repository {prefix}: the infrastructure doesn't stand.", "Run: retailops infra up"
            )
        return str(found[0]["repositoryUri"])

    @contextmanager
    def _logged_in(self) -> Iterator[Docker]:
        """With a password that AWS gives out for twelve hours."""
        with translated("Asking ECR for a login"):
            (token,) = self._session.client("ecr").get_authorization_token()["authorizationData"]
        user, _, password = base64.b64decode(token["authorizationToken"]).decode().partition(":")
        with self._docker.logged_in(token["proxyEndpoint"], user, password) as docker:
            yield docker

    def _scanned(self, digest: str, progress: Progress) -> Mapping[str, int]:
        """What the scan found, once it has ended; nothing, and a word about it, where it can't be had."""
        progress.stage("waiting for the registry's scan")
        found = _scan(self._session, digest)

        def begun() -> bool:
            nonlocal found
            found = _scan(self._session, digest)
            return bool(found.status)

        def over() -> bool:
            nonlocal found
            found = _scan(self._session, digest)
            progress.advance(0, found.status.lower().replace("_", " "))
            return found.status not in _NOT_YET

        if not until(begun, self._patience.begin, self._patience.look):
            progress.note("This repository scans nothing: nobody knows what faults the image has.")
        elif not until(over, self._patience.scan, self._patience.look):
            progress.note(
                f"The scan hasn't ended in {self._patience.scan / 60:.0f} minutes. Look later: retailops image list"
            )
        elif found.status not in _ENDED:
            progress.note(f"The registry couldn't scan this image ({found.status}): nobody knows what faults it has.")
        return found.findings


def last(session: Session, model: ModelVersion | None) -> dict[str, Any] | None:
    """What ECR says of the image that was pushed last for a version, None: for jobs of this retailops."""
    begin = f"{alias(model)}-"
    found = [each for each in _details(session) if any(tag.startswith(begin) for tag in each.get("imageTags", []))]
    return sorted(found, key=lambda each: each["imagePushedAt"])[-1] if found else None


def for_jobs(session: Session) -> str:
    """The image that jobs run in, by its digest. NotReady names the command that builds it."""
    image = last(session, None)
    if image is None:
        raise missing(None)
    names = session.names
    domain = "amazonaws.com.cn" if names.region.startswith("cn-") else "amazonaws.com"
    return f"{names.account}.dkr.ecr.{names.region}.{domain}/{names.prefix}@{image['imageDigest']}"


def _details(session: Session, tag: str = "") -> list[dict[str, Any]]:
    """All images that have a tag, or the one of this tag; none where there is no repository."""
    wanted = {"imageIds": [{"imageTag": tag}]} if tag else {"filter": {"tagStatus": "TAGGED"}}
    with translated("Asking ECR for images"), _absent():
        pages = session.client("ecr").get_paginator("describe_images")
        answers = pages.paginate(repositoryName=session.names.prefix, **wanted)
        return [each for page in answers for each in page["imageDetails"]]
    return []


def _scan(session: Session, digest: str) -> Scan:
    answer: Mapping[str, Any] = {}
    with translated("Asking ECR for its scan"), _absent():
        answer = session.client("ecr").describe_image_scan_findings(
            repositoryName=session.names.prefix, imageId={"imageDigest": digest}
        )
    counts = answer.get("imageScanFindings", {}).get("findingSeverityCounts", {})
    return Scan(
        str(answer.get("imageScanStatus", {}).get("status", "")), {name: int(count) for name, count in counts.items()}
    )


@contextmanager
def _absent() -> Iterator[None]:
    """No repository, no image, no scan: then what was asked for stays empty."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as problem:
        if code_of(problem) not in ("RepositoryNotFoundException", "ImageNotFoundException", "ScanNotFoundException"):
            raise
