"""Floor 4, aws: what `teardown --keep data` left is taken into the state again, instead of standing in the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from retailops import files
from retailops.targets.aws.names import ZONES
from retailops.targets.aws.session import Session, code_of, translated

_FILE = "adopt.tf.json"
_ABSENT = ("404", "NoSuchBucket", "NotFoundException", "NoSuchTagSet")


def prepare(module: Path, session: Session, known: set[str]) -> None:
    """Write import blocks for the lake's buckets and key that stand, are tagged as ours and aren't in the state yet."""
    blocks = [{"to": address, "id": identity} for address, identity in _standing(session) if address not in known]
    if blocks:
        files.write_json(module / _FILE, {"import": blocks})
    else:
        over(module)


def over(module: Path) -> None:
    """What was to be adopted is in the state now."""
    (module / _FILE).unlink(missing_ok=True)


def _standing(session: Session) -> Iterator[tuple[str, str]]:
    """(Terraform's address, identity) of each; the rest of them, like a bucket's policy, is simply written again."""
    with translated("Looking for a lake that was kept"):
        s3 = session.client("s3")
        for zone in ZONES:
            bucket = session.names.bucket(zone)
            tags = _known(s3.get_bucket_tagging, Bucket=bucket, ExpectedBucketOwner=session.account)
            if tags and _ours(session, tags["TagSet"], "Key", "Value"):
                yield f'aws_s3_bucket.zone["{zone}"]', bucket
        yield from _key(session)


def _key(session: Session) -> Iterator[tuple[str, str]]:
    kms = session.client("kms")
    alias = f"alias/{session.names.prefix}-data"
    found = _known(kms.describe_key, KeyId=alias)
    if found and found["KeyMetadata"]["KeyState"] == "Enabled":
        identity = str(found["KeyMetadata"]["KeyId"])
        if _ours(session, kms.list_resource_tags(KeyId=identity)["Tags"], "TagKey", "TagValue"):
            yield 'aws_kms_key.main["data"]', identity
            yield 'aws_kms_alias.main["data"]', alias


def _known(call: Any, **arguments: str) -> dict[str, Any] | None:
    """The answer, or None when what was asked for isn't there."""
    from botocore.exceptions import ClientError

    try:
        found: dict[str, Any] = call(**arguments)
    except ClientError as problem:
        if code_of(problem) in _ABSENT:
            return None
        raise
    return found


def _ours(session: Session, tags: list[dict[str, str]], key: str, value: str) -> bool:
    found = {tag[key]: tag[value] for tag in tags}
    wanted = session.names.tags("")
    return wanted.items() <= found.items()
