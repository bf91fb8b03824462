"""Floor 4, aws: the bucket of Terraform's state, which retailops makes before Terraform can begin, and its lock."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from retailops.errors import TargetFailed
from retailops.progress import Progress
from retailops.targets.aws.session import Session, code_of, translated

_RECORD = "infra/settings.json"
_OLD_DAYS = 90  # how long former states are kept


@dataclass(frozen=True)
class Lock:
    """Who works on the infrastructure at this moment."""

    id: str
    who: str  # user@host
    since: str  # ISO 8601, UTC
    operation: str

    def __str__(self) -> str:
        return f"{self.who}, {self.operation}, since {self.since[:19]} UTC"


class State:
    """One bucket a project and environment: versioned, encrypted, closed; adopted where it exists."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def bucket(self) -> str:
        return self._session.names.state_bucket

    def exists(self) -> bool:
        """Whether the bucket is there. TargetFailed when it is somebody else's."""
        from botocore.exceptions import ClientError

        with translated(f"Looking for the bucket {self.bucket}"):
            try:
                self._s3.head_bucket(Bucket=self.bucket, ExpectedBucketOwner=self._session.account)
            except ClientError as problem:
                if code_of(problem) in ("404", "NoSuchBucket"):
                    return False
                if code_of(problem) == "403":
                    raise TargetFailed(
                        f"The bucket {self.bucket} exists and isn't open to these credentials: another account's, or "
                        "a right is missing.",
                        "retailops doctor tells which; another project.name or project.environment avoids the name.",
                    ) from problem
                raise
        return True

    def make(self, progress: Progress) -> None:
        """Create the bucket, or bring the one that is there to how it must be. Twice is harmless."""
        if not self.exists():
            progress.note(f"Making the bucket of the state: {self.bucket}")
            region = self._session.settings.region
            # us-east-1 is the one region that must not be named.
            where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
            with translated(f"Making the bucket {self.bucket}"):
                self._s3.create_bucket(Bucket=self.bucket, **where)
        with translated(f"Securing the bucket {self.bucket}"):
            self._secure()

    def _secure(self) -> None:
        s3, bucket = self._s3, {"Bucket": self.bucket}
        closed = dict.fromkeys(
            ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
        )
        s3.put_public_access_block(**bucket, PublicAccessBlockConfiguration=closed)
        s3.put_bucket_versioning(**bucket, VersioningConfiguration={"Status": "Enabled"})
        # S3's own key: the project's keys are made from this state, and don't exist yet.
        encrypted = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        s3.put_bucket_encryption(**bucket, ServerSideEncryptionConfiguration={"Rules": [encrypted]})
        s3.put_bucket_lifecycle_configuration(
            **bucket,
            LifecycleConfiguration={
                "Rules": [
                    {
                        "ID": "former-states",
                        "Status": "Enabled",
                        "Filter": {"Prefix": ""},
                        "NoncurrentVersionExpiration": {"NoncurrentDays": _OLD_DAYS},
                        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                    }
                ]
            },
        )
        s3.put_bucket_tagging(
            **bucket, Tagging={"TagSet": [{"Key": key, "Value": value} for key, value in self._session.tags.items()]}
        )
        s3.put_bucket_policy(**bucket, Policy=json.dumps(_encrypted_transport(self.bucket)))

    def backend(self) -> dict[str, str | bool]:
        """Terraform's configuration of its S3 backend."""
        options: dict[str, str | bool] = {
            "bucket": self.bucket,
            "key": self._session.names.state_key,
            "region": self._session.settings.region,
            "encrypt": True,
            "use_lockfile": True,
        }
        return {**options, "use_path_style": True} if self._session.emulated else options

    def lock(self) -> Lock | None:
        """Who holds the state; None when nobody does."""
        found = self.read(f"{self._session.names.state_key}.tflock")
        if not found:
            return None
        return Lock(*(str(found.get(key, "")) for key in ("ID", "Who", "Created", "Operation")))

    def record(self) -> dict[str, Any]:
        """What was last asked of the infrastructure: `variables`, and under which `version` of retailops."""
        return self.read(_RECORD)

    def write_record(self, record: Mapping[str, Any]) -> None:
        self.write(_RECORD, record)

    def write(self, key: str, value: Mapping[str, Any]) -> None:
        """Put a JSON object into the bucket, whole or not at all."""
        with translated(f"Writing {self.bucket}/{key}"):
            body = json.dumps(value, indent=2, sort_keys=True).encode()
            self._s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    def drop(self, key: str) -> None:
        """Take an object out of the bucket. Nothing there is success."""
        with translated(f"Removing {self.bucket}/{key}"):
            self._s3.delete_object(Bucket=self.bucket, Key=key)

    def read(self, key: str) -> dict[str, Any]:
        """A JSON object of the bucket; empty when it, or the bucket, isn't there."""
        from botocore.exceptions import ClientError

        with translated(f"Reading {self.bucket}/{key}"):
            try:
                body = self._s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
            except ClientError as problem:
                if code_of(problem) in ("NoSuchKey", "NoSuchBucket"):
                    return {}
                raise
        found: dict[str, Any] = json.loads(body)
        return found

    @property
    def _s3(self) -> Any:
        return self._session.client("s3")


def _encrypted_transport(bucket: str) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "EncryptedTransportOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }
