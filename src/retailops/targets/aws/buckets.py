"""Floor 4, aws: emptying and removing buckets, ours alone, every version of every object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from retailops.errors import TargetFailed
from retailops.progress import Progress
from retailops.targets.aws.inventory.account import Account, unless_gone
from retailops.targets.aws.inventory.kind import plain_tags
from retailops.targets.aws.names import ZONES
from retailops.targets.aws.session import code_of, translated

DATA_ZONES = ("raw", "silver", "gold", "models", "quarantine")


class Buckets:
    """By their exact names, in this account, with no tags that name another project."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._s3 = account.client("s3")
        self._owner = {"ExpectedBucketOwner": account.names.account}

    @property
    def names(self) -> list[str]:
        """Every bucket of the project but the state's, standing or not."""
        return [self._account.names.bucket(zone) for zone in (*ZONES, "trail")]

    @property
    def data(self) -> set[str]:
        """Those of the lake."""
        return {self._account.names.bucket(zone) for zone in DATA_ZONES}

    def is_ours(self, name: str) -> bool:
        """Whether it stands and may be touched. Another account's, or another project's, is never ours."""
        from botocore.exceptions import ClientError

        with translated(f"Looking at the bucket {name}"):
            try:
                self._s3.head_bucket(Bucket=name, **self._owner)
                tags = plain_tags(self._s3.get_bucket_tagging(Bucket=name, **self._owner)["TagSet"])
            except ClientError as problem:
                if code_of(problem) in ("404", "NoSuchBucket", "403", "AccessDenied"):
                    return False
                if code_of(problem) != "NoSuchTagSet":
                    raise
                tags = {}  # made, and cut short before it was tagged
        return not self._account.is_foreign(tags)

    def silence(self, name: str) -> None:
        """Nobody writes down any more who read it: S3 delivers such logs for hours, into a bucket that has to go."""
        if self.is_ours(name):
            with translated(f"Ending the access log of the bucket {name}"), unless_gone():
                self._s3.put_bucket_logging(Bucket=name, BucketLoggingStatus={}, **self._owner)

    def empty(self, name: str, progress: Progress) -> int:
        """Every version, every delete marker, every upload that was begun. Returns how many; not there is success."""
        if not self.is_ours(name):
            return 0
        progress.stage(f"Emptying {name}", unit="versions")
        done = 0
        with translated(f"Emptying the bucket {name}"), unless_gone():
            for batch in self._versions(name):
                self._delete(name, batch)
                done += len(batch)
                progress.advance(done)
            self._abort_uploads(name)
        return done

    def remove(self, name: str, progress: Progress) -> None:
        """Empty it, then the bucket itself. Not there is success."""
        if not self.is_ours(name):
            return
        self.empty(name, progress)
        with translated(f"Removing the bucket {name}"), unless_gone():
            self._s3.delete_bucket(Bucket=name, **self._owner)
        progress.note(f"bucket {name}")

    def _versions(self, name: str) -> Iterator[list[dict[str, str]]]:
        """A thousand at a time, which is what one call may delete."""
        for page in self._s3.get_paginator("list_object_versions").paginate(Bucket=name, **self._owner):
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            if found:
                yield [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]

    def _delete(self, name: str, batch: list[dict[str, str]]) -> None:
        answer = self._s3.delete_objects(Bucket=name, Delete={"Objects": batch, "Quiet": True}, **self._owner)
        errors: list[dict[str, Any]] = answer.get("Errors", [])
        if errors:
            first = errors[0]
            raise TargetFailed(
                f"{len(errors)} objects of {name} can't be deleted: {first['Key']}: {first['Code']} {first['Message']}",
                "Find out what protects them (a retention, a policy, a missing right), then run this again.",
            )

    def _abort_uploads(self, name: str) -> None:
        for page in self._s3.get_paginator("list_multipart_uploads").paginate(Bucket=name, **self._owner):
            for each in page.get("Uploads", []):
                with unless_gone():
                    self._s3.abort_multipart_upload(
                        Bucket=name, Key=each["Key"], UploadId=each["UploadId"], **self._owner
                    )
