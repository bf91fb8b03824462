"""Floor 4, aws: what Terraform builds, and how it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import retailops
from retailops.errors import GateFailed, NotReady, TargetFailed
from retailops.ports import AS_IT_STANDS, Change, Standing, Terms
from retailops.progress import SILENT, Progress
from retailops.targets.aws import adoption, built, halves
from retailops.targets.aws.diagnoses import RULES
from retailops.targets.aws.inventory.account import Account
from retailops.targets.aws.ledger import Ledger
from retailops.targets.aws.parking import Parking
from retailops.targets.aws.session import Session
from retailops.targets.aws.state import Lock, State
from retailops.targets.aws.variables import moment, variables
from retailops.targets.aws.workbench import Workbench
from retailops.tools.stream import Event
from retailops.tools.terraform import ResourceChange

# What holds data, or everything else: a plan that destroys one of these is refused unless asked for.
PROTECTED = frozenset({"aws_eks_cluster", "aws_s3_bucket", "aws_kms_key", "aws_vpc"})
# What moves by itself, so that a plan shows it although nobody changed anything: an update of these alone isn't drift.
NOISE = {
    "aws_eks_node_group": {"release_version"},  # patched images
    "aws_launch_template": {"default_version", "latest_version"},
    "aws_eks_addon": {"addon_version"},
    "aws_ecr_repository": {"image_scanning_configuration"},  # the registry's own scanning takes over from it
}
_PAST = {"create": "created", "update": "updated", "delete": "deleted", "read": "read"}


class AwsInfra:
    """Terraform over the module templates/aws/infra, its state in a bucket of the account."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._state = State(session)
        self._bench = Workbench(session.settings.folder, RULES)

    def changes(self, terms: Terms = AS_IT_STANDS, progress: Progress = SILENT) -> list[Change]:
        """Terraform's plan, and the bucket of its state where it is missing. Creates nothing."""
        stands = self._state.exists()
        with self._working("infra plan") as lock:
            found = self._plan(terms, progress, lock, connected=stands)
        bucket = [] if stands else [Change("create", "s3_bucket", self._state.bucket, "Terraform's state")]
        return [*bucket, *map(_change, found)]

    def apply(self, progress: Progress, terms: Terms = AS_IT_STANDS) -> list[Change]:
        """Make the bucket of the state, plan, and carry the plan out. GateFailed for a plan that replaces too much."""
        with self._working("infra up") as lock:
            self._state.make(progress)
            found = self._plan(terms, progress, lock, connected=True, finish=True)
            _refuse_losses(found, terms)
            wanted = self._variables(terms)
            # Before, not after: what was cut short must be known as what it was meant to become.
            self._state.write_record({"variables": wanted, "retailops": retailops.__version__})
            if terms.parked:
                Parking(self._session, self._state).park(progress)
            if found:
                self._build(found, terms, progress, lock)
            adoption.over(self._bench.module)
            if not wanted["parked"]:
                Parking(self._session, self._state).wake(progress)
        return [*map(_change, found)]

    def standing(self, progress: Progress = SILENT, *, drift: bool = True) -> Standing:
        """Resources in the state, lease, and what a plan with the last variables would put right again."""
        before = self._state.record().get("variables") if self._state.exists() else None
        if not before:
            return Standing(0, detail=self._where())
        count = len(built.resources(Account(self._session)))
        found, outputs = self._compared(before, progress) if drift and count else ([], {})
        return Standing(
            count,
            parked=bool(before.get("parked")),
            expires=moment(str(before.get("expires", ""))),
            drift=tuple(_drift(each) for each in found if not _noise(each)),
            detail={**self._where(), **{key: outputs[key] for key in _TOLD if key in outputs}},
        )

    def _compared(
        self, before: Mapping[str, Any], progress: Progress
    ) -> tuple[list[ResourceChange], Mapping[str, Any]]:
        """What a plan with the variables of `before` would change, and the outputs."""
        with self._working("infra status") as lock:
            self._bench.prepare(before, self._state.backend())
            found = self._bench.terraform.plan(progress, inherit=[lock])
            return found, self._bench.terraform.outputs()

    def destroy(self, progress: Progress) -> None:
        """Terraform's own destroy, with its progress; the state bucket stays. Nothing there is success."""
        before = self._state.record().get("variables") if self._state.exists() else None
        if not before:
            return
        with self._working("teardown") as lock:
            self._bench.prepare(before, self._state.backend())
            count = len(self._bench.terraform.addresses())
            if count:
                events = self._bench.terraform.destroy(progress, inherit=[lock])
                self._carry_out(events, count, "Removing what Terraform built", progress)

    def forget(self, addresses: list[str]) -> None:
        """Take these resources out of Terraform's state, so that destroy spares them. Not in it is success."""
        known = {each.address for each in built.resources(Account(self._session))}
        sparing = [each for each in addresses if each in known]
        if sparing:
            with self._working("teardown"):
                self._bench.prepare(self._state.record()["variables"], self._state.backend())
                self._bench.terraform.forget(sparing)

    def lock(self) -> Lock | None:
        """Who works on it at this moment."""
        return self._state.lock() if self._state.exists() else None

    def unlock(self) -> list[Change]:
        """Break the lock of a run that is dead. Nobody holding it is success."""
        held = self.lock()
        if held is None:
            return []
        with self._working("infra unlock"):
            self._bench.prepare(self._state.record().get("variables", {}), self._state.backend())
            self._bench.terraform.unlock(held.id)
        return [Change("delete", "lock", held.id, str(held))]

    @contextmanager
    def _working(self, what: str) -> Iterator[int]:
        """One command at a time here; and where Terraform finds the state locked from elsewhere, by whom."""
        with self._bench.busy(what) as descriptor:
            try:
                yield descriptor
            except NotReady as problem:
                held = self.lock() if "state lock" in problem.what else None
                if held is None:
                    raise
                raise NotReady(
                    f"Somebody else is working on this infrastructure: {held}.",
                    problem.fix,
                    details={"lock": {"id": held.id, "who": held.who, "since": held.since}},
                ) from problem

    def _plan(
        self, terms: Terms, progress: Progress, lock: int, *, connected: bool, finish: bool = False
    ) -> list[ResourceChange]:
        """What Terraform would do. `finish`: what a run before had begun is waited for, and taken as it stands."""
        progress.stage("Preparing Terraform")
        adoption.over(self._bench.module)
        self._bench.prepare(self._variables(terms), self._state.backend() if connected else None)
        found = self._bench.terraform.plan(progress, inherit=[lock])
        begun = halves.whole(self._session, found, progress) if finish else []
        if begun:
            self._bench.terraform.keep(begun)
            found = self._bench.terraform.plan(progress, inherit=[lock])
        count = adoption.prepare(self._bench.module, self._session, found, progress)
        if count:
            progress.note(f"{count} stand already, without being in the state: they are taken in.")
            found = self._bench.terraform.plan(progress, inherit=[lock])
            if adoption.follow(self._bench.module, self._session, found):
                found = self._bench.terraform.plan(progress, inherit=[lock])
        return found

    def _build(self, found: list[ResourceChange], terms: Terms, progress: Progress, lock: int) -> None:
        """Carry the plan out. What turns out to stand already is taken in, and the rest goes on: once."""
        try:
            self._apply(found, progress, lock)
        except TargetFailed as problem:
            if not adoption.may_help(problem):
                raise
            rest = self._plan(terms, progress, lock, connected=True, finish=True)
            if not adoption.pending(self._bench.module):
                raise
            _refuse_losses(rest, terms)
            self._apply(rest, progress, lock)

    def _apply(self, planned: list[ResourceChange], progress: Progress, lock: int) -> None:
        events = self._bench.terraform.apply(progress, inherit=[lock])
        self._carry_out(events, len(planned), _title(planned), progress)

    def _variables(self, terms: Terms) -> dict[str, Any]:
        before = self._state.record().get("variables", {}) if self._state.exists() else {}
        return variables(self._session, terms, before)

    def _carry_out(self, events: Iterator[Event], total: int, title: str, progress: Progress) -> None:
        """Follow Terraform: a line for each resource that is done, and what it waits for meanwhile."""
        ledger = Ledger(self._session)
        done, running = 0, dict[str, float]()  # address → seconds that it has been under way
        progress.stage(title, total, "resources")
        for event in events:
            if event.type in ("apply_start", "apply_progress"):
                running[event.address] = event.seconds
            if event.type in ("apply_complete", "apply_errored"):
                running.pop(event.address, None)
            if event.type == "apply_complete":
                done += 1
                progress.note(f"{event.address} {_PAST.get(event.action, event.action)} after {event.seconds:.0f} s")
                if event.action == "create":
                    ledger.created(event.resource_type, event.identity, event.address)
            progress.advance(done, _longest(running))

    def _where(self) -> dict[str, Any]:
        names = self._session.names
        return {"account": names.account, "region": names.region, "state": f"s3://{names.state_bucket}"}


_TOLD = ("cluster_name", "repository_url", "vpc_id", "workgroup", "dashboard")


def _change(found: ResourceChange) -> Change:
    actions = set(found.actions)
    action: Any = "replace" if actions == {"create", "delete"} else found.actions[0]
    return Change(action, found.type.removeprefix("aws_"), found.name, found.address)


def _noise(found: ResourceChange) -> bool:
    moved = found.attributes - {"tags_all"}  # the provider's own sum of tags follows the tags
    return found.actions == ("update",) and moved <= NOISE.get(found.type, set())


def _drift(found: ResourceChange) -> Change:
    why = "changed outside of retailops" if found.drifted else "built by another version of retailops, or half built"
    what = f" ({', '.join(sorted(found.attributes))})" if found.actions == ("update",) else ""
    made = _change(found)
    return Change(made.action, made.kind, made.name, f"{found.address}: {why}{what}")


def _refuse_losses(found: list[ResourceChange], terms: Terms) -> None:
    lost = [each for each in found if each.type in PROTECTED and "delete" in each.actions and not each.half_made]
    if lost and not terms.allow_replace:
        raise GateFailed(
            "This would destroy what holds data or everything else: "
            + ", ".join(f"{each.address} ({each.name})" for each in lost)
            + ". Nothing was done.",
            "See what retail.yaml changed: retailops infra plan. If it is meant: add --allow-replace.",
        )


def _longest(running: Mapping[str, float]) -> str:
    """What is waited for longest: `aws_eks_cluster.main 320 s`."""
    address, seconds = max(running.items(), key=lambda each: each[1], default=("", 0.0))
    return f"{address} {seconds:.0f} s" if seconds else address


def _title(found: list[ResourceChange]) -> str:
    kinds = {"replace" if len(each.actions) > 1 else each.actions[0] for each in found}
    return "Creating" if kinds == {"create"} else "Changing"
