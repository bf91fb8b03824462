"""Floor 4, aws: what `teardown --keep data` spares: the lake's buckets and the key that opens them, nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from retailops.errors import UsageError
from retailops.targets.aws.buckets import Buckets
from retailops.targets.aws.built import Built
from retailops.targets.aws.inventory.kind import Found

KEEPABLE = frozenset({"data"})


def checked(keep: AbstractSet[str]) -> bool:
    """Whether the data is kept. UsageError for anything else that is asked to be."""
    unknown = sorted(keep - KEEPABLE)
    if unknown:
        raise UsageError(
            f"--keep {unknown[0]}: only data can be kept, which is the buckets of the lake and their key.",
            "Write --keep data, or leave it out.",
        )
    return "data" in keep


def addresses(built: Iterable[Built], buckets: Buckets) -> list[str]:
    """Terraform's addresses of the lake's buckets, of all that is set on them, and of the keys that open them."""
    built = list(built)
    lake = [each for each in built if each.type.startswith("aws_s3_bucket") and _bucket(each) in buckets.data]
    keys = {key for each in lake for key in _keys(each)}
    opened = [each for each in built if each.type.startswith("aws_kms_") and keys & _names_of_key(each)]
    return [each.address for each in [*lake, *opened]]


def found(standing: Iterable[Found], buckets: Buckets) -> list[Found]:
    """The same, as the inventory finds them."""
    standing = list(standing)
    lake = [each for each in standing if each.kind.name == "S3 bucket" and each.id in buckets.data]
    keys = {each.facts["key"].rpartition("/")[2] for each in lake if each.facts.get("key")}
    opened = [
        each
        for each in standing
        if (each.kind.name == "KMS key" and each.id in keys)
        or (each.kind.name == "KMS alias" and each.facts.get("key") in keys)
    ]
    return [*lake, *opened]


def _bucket(each: Built) -> str:
    return str(each.values.get("bucket") or each.values.get("id") or "")


def _keys(each: Built) -> Iterable[str]:
    for rule in each.values.get("rule") or []:
        if isinstance(rule, dict):
            for default in rule.get("apply_server_side_encryption_by_default") or []:
                if default.get("kms_master_key_id"):
                    yield default["kms_master_key_id"].rpartition("/")[2]


def _names_of_key(each: Built) -> set[str]:
    values = each.values
    return {str(values[name]) for name in ("key_id", "target_key_id") if values.get(name)}
