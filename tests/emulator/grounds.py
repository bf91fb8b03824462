"""What data, models and jobs stand on, as `infra up` would have built it: buckets, the data's key, the model group."""

from __future__ import annotations

from emulator.server import Emulator

ZONES = ("raw", "silver", "gold", "models", "quarantine", "logs")


def lay(aws: Emulator, prefix: str = "retail-demo-dev") -> None:
    """Versioned buckets under a key of the project's own, and an empty model package group."""
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
