"""Floor 4, aws: SageMaker's model registry: a group of packages, each a version that tells where it is from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from retailops.errors import NotReady, Unsupported
from retailops.targets.aws.session import Session, code_of, translated

PENDING = "PendingManualApproval"
BUNDLE = "bundle"  # what finds a bundle's package again
_TOKEN = 36  # characters that SageMaker takes of an idempotency token


@dataclass(frozen=True)
class Package:
    """A version as the registry tells of it. `facts` are what we wrote down when it was added."""

    arn: str
    version: int
    approval: str
    reason: str  # what was said with the approval
    facts: Mapping[str, str]


class Packages:
    """The project's own group, which `infra up` makes; or another account's, to be read alone."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def _foreign(self) -> str:
        return self._session.settings.registry_arn

    @property
    def group(self) -> str:
        """The name of our group, or the ARN of the other account's."""
        return self._foreign or self._session.names.prefix

    @property
    def owner(self) -> str:
        """The account whose registry it is, and whose buckets hold the bundles."""
        return self._foreign.split(":")[4] if self._foreign else self._session.account

    def all(self) -> list[Package]:
        """Ascending by version."""
        with translated(f"Listing the model packages of {self.group}"):
            pages = self._sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=self.group)
            names = [each["ModelPackageArn"] for page in pages for each in page["ModelPackageSummaryList"]]
            # The list leaves out what we wrote down; only a package itself tells that.
            found = [self._sagemaker.describe_model_package(ModelPackageName=name) for name in names]
        packages = [
            Package(
                arn=each["ModelPackageArn"],
                version=each["ModelPackageVersion"],
                approval=each["ModelApprovalStatus"],
                reason=each.get("ApprovalDescription") or "",
                facts=each["CustomerMetadataProperties"],
            )
            for each in found
            if BUNDLE in each.get("CustomerMetadataProperties", {})  # what others put there isn't ours to read
        ]
        return sorted(packages, key=lambda each: each.version)

    def require_ours(self) -> None:
        """Unsupported when the registry is another account's."""
        if self._foreign:
            raise Unsupported(
                f"aws.registry_arn names another registry ({self._foreign}), which is for reading alone.",
                "Take aws.registry_arn out of retail.yaml to register models in this project's own.",
            )

    def add(self, facts: Mapping[str, str], bundle: str, metrics: str) -> None:
        """One more version, waiting for approval. `bundle` is the prefix of its files, `metrics` a JSON object."""
        from botocore.exceptions import ClientError

        source = {"S3Uri": f"{bundle}/", "S3DataType": "S3Prefix", "CompressionType": "None"}
        with translated(f"Registering a model in {self.group}"):
            try:
                self._sagemaker.create_model_package(
                    ModelPackageGroupName=self.group,
                    ModelPackageDescription=f"{facts['algorithm']}, run {facts['run']}, dataset {facts['dataset']}",
                    ModelApprovalStatus=PENDING,
                    InferenceSpecification={
                        # No image: which one serves it is decided when it is deployed.
                        "Containers": [{"ModelDataSource": {"S3DataSource": source}}],
                        "SupportedContentTypes": ["application/json"],
                        "SupportedResponseMIMETypes": ["application/json"],
                    },
                    ModelMetrics={
                        "ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": metrics}}
                    },
                    CustomerMetadataProperties=dict(facts),
                    ClientToken=facts[BUNDLE][:_TOKEN],  # asked twice at the same time, it is one version
                )
            except ClientError as problem:
                if code_of(problem) not in ("ValidationException", "ResourceNotFound", "ResourceNotFoundException"):
                    raise
                if "does not exist" not in str(problem):
                    raise
                raise NotReady(
                    f"The model package group {self.group} isn't there.", "Build it first: retailops infra up"
                ) from problem

    def decide(self, package: Package, approval: str, reason: str, facts: Mapping[str, str]) -> None:
        """Set a package's approval, and add to its facts."""
        with translated(f"Deciding about version {package.version} of {self.group}"):
            self._sagemaker.update_model_package(
                ModelPackageArn=package.arn,
                ModelApprovalStatus=approval,
                ApprovalDescription=reason,
                CustomerMetadataProperties={**package.facts, **facts},
            )

    @cached_property
    def _sagemaker(self) -> Any:
        return self._session.client("sagemaker")
