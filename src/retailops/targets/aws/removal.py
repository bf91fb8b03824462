"""Floor 4, aws: taking all of it away in the order that works, then looking whether it is gone.

Load balancers → what SageMaker runs → what is in the buckets → Terraform's destroy → the bucket of the state → log
groups. Each step finds what there is to do by asking, so that a teardown cut short anywhere goes on when run again.
Nothing is deleted by the look of its name: by our tags, by the cluster's, or by an exact name in this account.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from retailops.errors import TargetFailed
from retailops.ports import NOTHING, Change
from retailops.progress import SILENT, Progress
from retailops.rollout.removal import NamespaceRemoval
from retailops.targets.aws import built, last_things, remnants, spared
from retailops.targets.aws.balancers import Balancers, Patience
from retailops.targets.aws.buckets import Buckets
from retailops.targets.aws.endpoint_guards import scaled_id
from retailops.targets.aws.infra import AwsInfra
from retailops.targets.aws.inventory.account import Account
from retailops.targets.aws.inventory.audit import audit
from retailops.targets.aws.inventory.kind import Found
from retailops.targets.aws.inventory.worth import Worth
from retailops.targets.aws.learning_removal import Learning
from retailops.targets.aws.ledger import Ledger
from retailops.targets.aws.session import Session


class AwsRemoval:
    def __init__(
        self,
        session: Session,
        infra: AwsInfra,
        patience: Patience | None = None,
        elsewhere: NamespaceRemoval | None = None,
    ) -> None:
        self._session = session
        self._infra = infra
        self._patience = patience or Patience()
        self._ledger = Ledger(session)
        self._elsewhere = elsewhere  # on a cluster that isn't the stack's

    def removals(self, keep: AbstractSet[str] = NOTHING, progress: Progress = SILENT) -> list[Change]:
        """What `remove` would take away, as the inventory finds it; orphans, which only `left` tells of, left out."""
        keeping = spared.checked(keep)
        account = Account(self._session)
        standing = audit(account, self._ledger.entries(), progress)
        kept = spared.found(standing, Buckets(account)) if keeping else []
        ids = {each for resource in built.resources(account) for each in resource.ids}
        worth = Worth(account)
        there = self._elsewhere.removals() if self._elsewhere else []
        return there + [
            worth.change(each, "delete")
            for each in standing
            if each not in kept and (ids & {each.id, each.name} or _is_swept(account, each))
        ]

    def remove(self, progress: Progress, keep: AbstractSet[str] = NOTHING) -> None:
        """Remove all of it. What isn't there is done already."""
        keeping = spared.checked(keep)
        account = Account(self._session)
        buckets = Buckets(account)
        self._ledger.keep()
        if self._elsewhere:
            self._elsewhere.remove(progress)
        for name in buckets.names:
            buckets.silence(name)
        Balancers(account, self._patience).remove(progress)
        Learning(account, look_s=self._patience.look).remove(progress)
        if keeping:
            self._infra.forget(spared.addresses(built.resources(account), buckets))
        going = [name for name in buckets.names if not (keeping and name in buckets.data)]
        self._clear(account, going, progress)
        self._destroy(account, going, progress)
        last_things.remove_feature_tables(account, progress)
        for name in going:
            buckets.remove(name, progress)
        if not keeping:
            last_things.remove_keys(account, progress)
        self._close(account, keep, progress)

    def left(self, keep: AbstractSet[str] = NOTHING, progress: Progress = SILENT) -> list[Change]:
        """What still exists, with the command that removes it; and what was kept on purpose, with what it costs."""
        keeping = spared.checked(keep)
        account = Account(self._session)
        standing = audit(account, self._ledger.entries(), progress)
        kept = spared.found(standing, Buckets(account)) if keeping else []
        worth = Worth(account)
        if not standing:
            self._ledger.settle()
        there = self._elsewhere.left() if self._elsewhere else []
        return there + [worth.change(each, "kept" if each in kept else "left") for each in standing]

    def _clear(self, account: Account, going: list[str], progress: Progress) -> int:
        """What would stop Terraform: things in buckets, and what the cluster left. Returns how many there were."""
        last_things.stop_trail(account)
        buckets = Buckets(account)
        emptied = sum(buckets.empty(name, progress) for name in going)
        return emptied + remnants.remove(account, progress)

    def _destroy(self, account: Account, going: list[str], progress: Progress) -> None:
        """Terraform's destroy; once more when what stopped it had come back after it was cleared away."""
        try:
            self._infra.destroy(progress)
        except TargetFailed as problem:
            before = Balancers(account, self._patience).standing()
            if before:
                Balancers(account, self._patience).remove(progress)
            if not before and not self._clear(account, going, progress):
                raise
            progress.note(f"{problem.what}\nWhat was in the way is cleared: once more.")
            self._infra.destroy(progress)

    def _close(self, account: Account, keep: AbstractSet[str], progress: Progress) -> None:
        """The bucket of the state, unless it is still needed; then the log groups."""
        endpoints = [entry.id for entry in self._ledger.entries() if entry.kind == "SageMaker endpoint"]
        state = account.names.state_bucket
        others = [each for each in self._others(account, keep, progress) if each.id != state]
        if others or built.resources(account):
            if Buckets(account).is_ours(state):
                progress.note(f"The bucket {state} stays: it knows what is left.")
        else:
            Buckets(account).remove(state, progress)
        last_things.remove_log_groups(account, endpoints, progress)

    def _others(self, account: Account, keep: AbstractSet[str], progress: Progress) -> list[Found]:
        standing = audit(account, self._ledger.entries(), progress)
        kept = spared.found(standing, Buckets(account)) if spared.checked(keep) else []
        return [each for each in standing if each not in kept and each.kind.name != "log group"]


def _is_swept(account: Account, found: Found) -> bool:
    """Whether a step of ours takes it away, or its cluster takes it along."""
    if found.kind.name in ("load balancer", "classic load balancer", "target group"):
        return account.has_cluster_tag(found.tags)
    if found.kind.name == "S3 bucket":
        return found.id in (*Buckets(account).names, account.names.state_bucket)
    if found.kind.name == "endpoint scaling":
        return found.id == scaled_id(account.names)
    if found.kind.name == "log group":
        return last_things.is_certain(account, {account.prefix}, found.id, found.tags)
    if found.kind.swept:
        return account.has_own_tags(found.tags)
    return found.kind.follows and account.has_cluster_tag(found.tags)
