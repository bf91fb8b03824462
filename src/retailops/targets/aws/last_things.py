"""Floor 4, aws: what Terraform lacks: keys that were kept once, tables of the feature store, log groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from retailops.progress import Progress
from retailops.targets.aws.inventory.account import Account, unless_gone
from retailops.targets.aws.inventory.data import FEATURE_DATABASE, feature_tables, trail
from retailops.targets.aws.inventory.kind import plain_tags
from retailops.targets.aws.inventory.storage import log_groups
from retailops.targets.aws.session import translated

_WINDOW_DAYS = 7  # the least that KMS knows


def stop_trail(account: Account) -> None:
    """Until it is stopped, CloudTrail writes into its bucket, which then is never empty."""
    with translated(f"Stopping the trail {account.prefix}"), unless_gone():
        facts = trail(account, account.prefix)
        if facts is not None and account.has_own_tags(plain_tags(facts["tags"])):
            account.client("cloudtrail").stop_logging(Name=account.prefix)


def remove_keys(account: Account, progress: Progress) -> None:
    """The project's keys by their exact aliases. Terraform removes them itself, unless they were kept once."""
    kms, ours = account.client("kms"), {f"alias/{account.prefix}-{name}" for name in ("data", "platform")}
    for alias in account.ask("kms", "list_aliases", "Aliases[]"):
        if alias["AliasName"] in ours and "TargetKeyId" in alias:
            key = alias["TargetKeyId"]
            with translated(f"Scheduling the end of the key {key}"), unless_gone():
                if account.has_own_tags(plain_tags(kms.list_resource_tags(KeyId=key)["Tags"])):
                    if kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] != "PendingDeletion":
                        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=_WINDOW_DAYS)
                    kms.delete_alias(AliasName=alias["AliasName"])
                    progress.note(f"KMS key {key}: deleted in {_WINDOW_DAYS} days, free until then")


def remove_feature_tables(account: Account, progress: Progress) -> None:
    """SageMaker makes a table for each feature group and leaves it; the database, the account's, stays."""
    for name in feature_tables(account):
        with translated(f"Removing the table {name} of the feature store"), unless_gone():
            account.client("glue").delete_table(DatabaseName=FEATURE_DATABASE, Name=name)
        progress.note(f"feature table {name}")


def remove_log_groups(account: Account, endpoints: Iterable[str], progress: Progress) -> None:
    """Last, for services write until they are gone, and writing makes a group anew.

    Ours are those with our tags; and, as services make them without tags, those with our prefix, or an endpoint of
    ours, as a whole step of their path. A name that merely begins alike is no proof.
    """
    steps = {account.prefix, *endpoints}
    progress.stage("Removing log groups")
    for name, tags in log_groups(account, steps):
        if is_certain(account, steps, name, tags):
            with translated(f"Removing the log group {name}"), unless_gone():
                account.client("logs").delete_log_group(logGroupName=name)
            progress.note(f"log group {name}")


def is_certain(account: Account, steps: AbstractSet[str], name: str, tags: Mapping[str, str]) -> bool:
    """Whether a log group that was found by one of `steps` is ours beyond doubt."""
    if account.is_foreign(tags):
        return False
    whole = bool(steps & set(name.split("/")))
    return whole or (account.has_own_tags(tags) and any(step in name for step in steps))
