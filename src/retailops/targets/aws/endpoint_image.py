"""Floor 4, aws: the image that an endpoint runs: by digest, from an ECR of its own region, and really there."""

from __future__ import annotations

import re

from retailops.errors import ConfigError, NotReady
from retailops.ports import Images, ModelVersion
from retailops.progress import Progress
from retailops.targets.aws.inventory.account import unless_gone
from retailops.targets.aws.session import Session

_ECR = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([^@:]+)@(sha256:[0-9a-f]{64})")


def image(session: Session, images: Images, model: ModelVersion, progress: Progress) -> str:
    """`deploy.kubernetes.image`, else the version's own, built where there is none yet."""
    named = session.config.deploy.kubernetes.image
    if named:
        require(session, named)
        return named
    found = images.find(model) or images.build(model, progress)
    require(session, found.reference)
    return found.reference


def require(session: Session, reference: str) -> None:
    """ConfigError for an image that SageMaker can't pull, NotReady for one that isn't there any more."""
    found = _ECR.fullmatch(reference)
    region = session.settings.region
    if found is None or found.group(2) != region:
        raise ConfigError(
            f"A SageMaker endpoint runs an image of ECR in {region}, by digest, and this is none: {reference}.",
            "Leave deploy.kubernetes.image and deploy.kubernetes.registry empty: image build pushes to the project's "
            "own repository.",
        )
    account, _, repository, digest = found.groups()
    told = []
    with unless_gone():
        told = session.client("ecr").describe_images(
            registryId=account, repositoryName=repository, imageIds=[{"imageDigest": digest}]
        )["imageDetails"]
    if not told:
        raise NotReady(f"The image {reference} isn't in its repository.", "Build it: retailops image build")
