"""Floor 4, aws, inventory: what holds data, images and keys."""

from __future__ import annotations

from collections.abc import Iterable

from retailops.targets.aws.inventory.account import Account, unless_gone
from retailops.targets.aws.inventory.kind import Facts, Kind, Line, flat, gone_is_none, names, plain_tags
from retailops.targets.aws.session import code_of

_PAGES = 100  # of a thousand versions each: enough to tell what a bucket costs


def _buckets(account: Account) -> Iterable[str]:
    """Bucket names tell whose they are: they end in the account, and a colleague's account can't have ours."""
    for name in account.ask("s3", "list_buckets", "Buckets[].Name"):
        if account.is_named_ours(name):
            yield name


def _bucket(account: Account, id: str) -> Facts | None:
    s3 = account.client("s3")
    s3.head_bucket(Bucket=id, ExpectedBucketOwner=account.names.account)
    versions, size, more = _contents(account, id)
    counted = f"{versions:,}{'+' if more else ''} versions, {size / 1e9:.2f} GB"
    return {
        "tags": _bucket_tags(account, id),
        "key": _bucket_key(account, id),
        "gb": size / 1e9,
        "detail": counted if versions else "empty",
    }


def _bucket_tags(account: Account, id: str) -> object:
    from botocore.exceptions import ClientError

    try:
        return account.client("s3").get_bucket_tagging(Bucket=id)["TagSet"]
    except ClientError as problem:
        if code_of(problem) == "NoSuchTagSet":
            return None
        raise


def _bucket_key(account: Account, id: str) -> str | None:
    """The KMS key that it is written with."""
    with unless_gone():
        answer = account.client("s3").get_bucket_encryption(Bucket=id)
        for rule in answer["ServerSideEncryptionConfiguration"]["Rules"]:
            key = rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID")
            if key:
                return str(key)
    return None


def _contents(account: Account, id: str) -> tuple[int, int, bool]:
    """Versions, their bytes, and whether there are more than were counted."""
    pages = account.client("s3").get_paginator("list_object_versions").paginate(Bucket=id)
    count = size = 0
    for number, page in enumerate(pages, start=1):
        versions = page.get("Versions", [])
        count += len(versions) + len(page.get("DeleteMarkers", []))
        size += sum(each["Size"] for each in versions)
        if number == _PAGES and page["IsTruncated"]:
            return count, size, True
    return count, size, False


def _repository(account: Account, id: str) -> Facts | None:
    ecr = account.client("ecr")
    found = ecr.describe_repositories(repositoryNames=[id])["repositories"][0]
    tags = ecr.list_tags_for_resource(resourceArn=found["repositoryArn"])["tags"]
    sizes = account.ask("ecr", "describe_images", "imageDetails[].[imageSizeInBytes]", repositoryName=id)
    gb = sum(size or 0 for (size,) in sizes) / 1e9
    return {"tags": tags, "gb": gb, "detail": f"{len(sizes)} images, {gb:.2f} GB"}


def _keys(account: Account) -> Iterable[str]:
    for alias in account.ask("kms", "list_aliases", "Aliases[]"):
        if account.is_named_ours(alias["AliasName"].removeprefix("alias/")) and "TargetKeyId" in alias:
            yield alias["TargetKeyId"]


def _key(account: Account, id: str) -> Facts | None:
    kms = account.client("kms")
    found = kms.describe_key(KeyId=id)["KeyMetadata"]
    if found["KeyManager"] != "CUSTOMER":
        return None
    tags: object = None
    with unless_gone():
        tags = kms.list_resource_tags(KeyId=id)["Tags"]
    facts = {"name": found["KeyId"], "tags": tags, "detail": found.get("Description") or None}
    if found["KeyState"] == "PendingDeletion":
        day = f"{found['DeletionDate']:%Y-%m-%d}"
        return {**facts, "note": f"KMS key {found['KeyId']} is deleted on {day}; it costs nothing meanwhile"}
    return facts


def _aliases(account: Account) -> Iterable[str]:
    for name in account.ask("kms", "list_aliases", "Aliases[].AliasName"):
        if account.is_named_ours(name.removeprefix("alias/")):
            yield name


def _alias(account: Account, id: str) -> Facts | None:
    """An alias has no tags: it is whose its key is."""
    for each in account.ask("kms", "list_aliases", "Aliases[]"):
        if each["AliasName"] == id and "TargetKeyId" in each:
            key = _key(account, each["TargetKeyId"]) or {}
            return {"tags": key.get("tags"), "key": each["TargetKeyId"]}
    return None


def _bucket_price(facts: Facts) -> list[Line]:
    return [Line("s3.stored", float(facts["gb"]))]


def _images_price(facts: Facts) -> list[Line]:
    return [Line("ecr.gb", float(facts["gb"]))]


def _log_groups(account: Account) -> Iterable[str]:
    """Those with our name as a step of their path: `<prefix>/etl`, `/aws/eks/<prefix>/cluster`."""
    found = account.ask("logs", "describe_log_groups", "logGroups[].logGroupName", logGroupNamePattern=account.prefix)
    return [each for each in found if account.is_named_ours(each)]


def log_groups(account: Account, steps: Iterable[str]) -> list[tuple[str, dict[str, str]]]:
    """Names and tags of the log groups whose path holds one of `steps`, or something that begins like it."""
    found = {}
    for step in steps:
        pattern = {"logGroupNamePattern": step}
        for each in account.ask("logs", "describe_log_groups", "logGroups[].logGroupName", **pattern):
            facts = _log_group(account, each) if step in each else None
            if facts is not None:
                found[each] = plain_tags(facts["tags"])
    return sorted(found.items())


def _log_group(account: Account, id: str) -> Facts | None:
    found = account.ask("logs", "describe_log_groups", "logGroups[]", logGroupNamePrefix=id)
    for each in found:
        if each["logGroupName"] == id:
            arn = each["arn"].removesuffix(":*")
            tags = account.client("logs").list_tags_for_resource(resourceArn=arn)["tags"]
            gb = each.get("storedBytes", 0) / 1e9
            return {"tags": tags, "gb": gb, "detail": f"{gb:.2f} GB"}
    return None


def _logs_price(facts: Facts) -> list[Line]:
    return [Line("logs.stored", float(facts["gb"]))]


STORAGE = (
    Kind(
        "ECR repository",
        gone_is_none(_repository),
        names("ecr", "describe_repositories", "repositories[].repositoryName"),
        services=("ecr",),
        terraform="aws_ecr_repository",
        arn=r":ecr:.*:repository/(.+)$",
        price=_images_price,
        remove="ecr delete-repository --force --repository-name",
    ),
    Kind(
        "S3 bucket",
        gone_is_none(_bucket),
        _buckets,
        services=("s3",),
        terraform="aws_s3_bucket",
        arn=r"^arn:[^:]+:s3:::([^/]+)$",
        price=_bucket_price,
        remove="s3api delete-bucket --bucket {id}  (after Empty in the S3 console, which removes every version)",
    ),
    Kind(
        "KMS alias",
        gone_is_none(_alias),
        _aliases,
        services=("kms",),
        terraform="aws_kms_alias",
        arn=r":kms:.*:(alias/.+)$",
        remove="kms delete-alias --alias-name",
    ),
    Kind(
        "KMS key",
        gone_is_none(_key),
        _keys,
        services=("kms",),
        terraform="aws_kms_key",
        arn=r":kms:.*:key/(.+)$",
        price=flat("kms.key"),
        remove="kms schedule-key-deletion --pending-window-in-days 7 --key-id",
    ),
)

LOGS = (
    Kind(
        "log group",
        gone_is_none(_log_group),
        _log_groups,
        services=("logs",),
        terraform="aws_cloudwatch_log_group",
        arn=r":logs:.*:log-group:(.+?)(?::\*)?$",
        price=_logs_price,
        remove="logs delete-log-group --log-group-name",
        swept=True,
    ),
)
