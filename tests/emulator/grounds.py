"""What data, models, features and jobs stand on, as `infra up` would have built it: buckets, the data's key, groups."""

from __future__ import annotations

import json

import retailops
from emulator.server import Emulator
from retailops.retail.feature_groups import GROUPS, Group

ZONES = ("raw", "silver", "gold", "models", "quarantine", "logs")


def lay(aws: Emulator, prefix: str = "retail-demo-dev") -> None:
    """Versioned buckets under a key of the project's own, an empty model package group, and the image of jobs."""
    s3, kms = aws.client("s3"), aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName=f"alias/{prefix}-data", TargetKeyId=key)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    for zone in ZONES:
        bucket = f"{prefix}-{zone}-{aws.account}"
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    aws.client("sagemaker").create_model_package_group(ModelPackageGroupName=prefix)
    aws.client("ecr").create_repository(repositoryName=prefix, imageTagMutability="IMMUTABLE")
    push(aws, f"worker-{retailops.__version__}-{'0' * 12}", prefix)


def push(aws: Emulator, tag: str, prefix: str = "retail-demo-dev", manifest: str = "") -> str:
    """What ECR keeps of a push: manifest and tag; without layers, which nobody pulls from here. Returns the digest."""
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    config, layers = {"digest": tag, "size": 100}, [{"digest": tag, "size": 1_000_000}]
    made = manifest or json.dumps({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers})
    answer = aws.client("ecr").put_image(repositoryName=prefix, imageManifest=made, imageTag=tag)
    return str(answer["image"]["imageId"]["imageDigest"])


def store(aws: Emulator, prefix: str = "retail-demo-dev") -> None:
    """The feature groups, empty, over buckets that stand; a test holds their features against the Terraform's."""
    for group in GROUPS.values():
        aws.client("sagemaker").create_feature_group(
            FeatureGroupName=f"{prefix}-{group.name}",
            RecordIdentifierFeatureName="record_id",
            EventTimeFeatureName="event_time",
            FeatureDefinitions=_definitions(group),
            RoleArn=f"arn:aws:iam::{aws.account}:role/{prefix}-sagemaker",
            OnlineStoreConfig={"EnableOnlineStore": True},
            OfflineStoreConfig={
                "S3StorageConfig": {"S3Uri": f"s3://{prefix}-gold-{aws.account}/features"},
                "DisableGlueTableCreation": True,
            },
        )


def _definitions(group: Group) -> list[dict[str, str]]:
    named = {**dict.fromkeys(("record_id", "event_time", "version", group.key), "String"), **group.features}
    return [{"FeatureName": name, "FeatureType": type_} for name, type_ in named.items()]
