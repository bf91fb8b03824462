"""Floor 4, aws: whether this account, these credentials and this machine can do what the config asks."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

from retailops.errors import RetailOpsError
from retailops.ports import Finding
from retailops.progress import Progress
from retailops.targets.aws import identity, network, permissions, place, policy, simulation
from retailops.targets.aws.kubernetes_versions import kubernetes_version
from retailops.targets.aws.machine import machine
from retailops.targets.aws.names import Names
from retailops.targets.aws.quotas import quotas
from retailops.targets.aws.session import Session, code_of

Check = Callable[[Session], Iterator[Finding]]

# What asks the region, quick ones first; `rights` is the longest.
_IN_REGION: dict[str, Check] = {
    "machines": place.machine_types,
    "kubernetes": kubernetes_version,
    "networks": network.clashes,
    "bucket names": place.bucket_names,
    "state": place.lock,
    "quota": quotas,
}
_RIGHTS = "rights"
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}


class AwsDoctor:
    def __init__(self, session: Session) -> None:
        self._session = session

    def findings(self, progress: Progress) -> Iterator[Finding]:
        """This machine, the config alone, then the account; what can't be asked is skipped with the reason."""
        progress.stage("looking at this machine")
        mine = yield from _told(machine())
        yield from network.addresses(self._session.settings)
        if any(each.check == "libraries" and each.state == "failed" for each in mine):
            yield from _skipped(["credentials", "region", *_IN_REGION, _RIGHTS], "libraries are missing")
            return
        yield from place.known(self._session)
        progress.stage("asking AWS who these credentials are")
        who = yield from _told(identity.credentials(self._session))
        if who[0].state == "failed":
            yield from _skipped(["region", *_IN_REGION, _RIGHTS], "needs usable credentials")
            return
        yield from self._account(progress)

    def policy(self) -> Mapping[str, Any]:
        """Area → IAM policy document; together the least rights for this config.

        With aws.account set no credentials are needed: a policy is what one asks an administrator for.
        """
        settings, project = self._session.settings, self._session.config.project
        account = settings.account or self._session.account
        names = Names(project.name, project.environment, settings.region, account)
        return policy.documents(permissions.rights(names, settings))

    def _account(self, progress: Progress) -> Iterator[Finding]:
        progress.stage(f"looking at {self._session.settings.region}")
        there = yield from _told(_looked("region", place.region, self._session))
        if any(each.state == "failed" for each in there):
            yield from _skipped(list(_IN_REGION), "needs a usable region")
        else:
            for name, check in _IN_REGION.items():
                progress.stage(f"looking at {name}")
                yield from _looked(name, check, self._session)
        yield from self.rights(progress)

    def rights(self, progress: Progress) -> Iterator[Finding]:
        """One finding an area: what of this config's work these credentials may not do."""
        return _looked(_RIGHTS, lambda session: self._simulated(session, progress), self._session)

    def _simulated(self, session: Session, progress: Progress) -> Iterator[Finding]:
        source = identity.principal(session, identity.caller(session))
        if not source:
            what = "IAM can't simulate for such credentials; what they may do is only known when it is tried"
            yield Finding(
                _RIGHTS, "warning", what, "Use a role or a user with the rights of: retailops doctor --policy"
            )
            return
        wanted = permissions.rights(session.names, session.settings)
        progress.stage("simulating each right", len(wanted), "rights")
        refused: dict[str, list[simulation.Denied]] = {right.area: [] for right in wanted}
        for number, missing in enumerate(simulation.denied(session, source, wanted), start=1):
            refused[wanted[number - 1].area] += missing
            progress.advance(number)
        for area, missing in refused.items():
            count = len({action for right in wanted if right.area == area for action in right.actions})
            yield _judged(area, count, missing)


def _judged(area: str, count: int, missing: list[simulation.Denied]) -> Finding:
    check = f"{_RIGHTS}: {area}"
    if not missing:
        return Finding(check, "ok", f"{count} actions, all allowed")
    what = f"{len(missing)} refused:\n" + "\n".join(str(each) for each in missing)
    fixes = {
        simulation.NOT_ALLOWED: f"Attach what this prints: retailops doctor --policy --area {area}",
        simulation.DENIED: "Have the statement that denies it removed from the policies of this user or role.",
        simulation.OUTSIDE: "Have the permissions boundary of this user or role widened.",
        simulation.FORBIDDEN: "Ask whoever keeps the organisation's policies, or use another account.",
    }
    reasons = {each.why for each in missing}
    return Finding(check, "failed", what, "\n".join(fix for why, fix in fixes.items() if why in reasons))


def _looked(name: str, check: Check, session: Session) -> Iterator[Finding]:
    """A check that can't look says so, and the others go on."""
    try:
        yield from check(session)
    except RetailOpsError as problem:
        fix = "Run this again." if "retailops doctor" in problem.fix else problem.fix
        if _is_denied(problem):
            fix = "Allow it, or compare by hand with: retailops doctor --policy"
        yield Finding(name, "warning", f"couldn't be looked at. {problem.what}", fix)


def _is_denied(problem: RetailOpsError) -> bool:
    """Whether AWS refused for want of a right, and not for another reason."""
    return hasattr(problem.__cause__, "response") and code_of(problem.__cause__) in _DENIED


def _told(findings: Iterator[Finding]) -> Generator[Finding, None, list[Finding]]:
    """Passes findings on, and gives them back to who asked."""
    told = []
    for finding in findings:
        yield finding
        told.append(finding)
    return told


def _skipped(names: list[str], why: str) -> Iterator[Finding]:
    return (Finding(name, "skipped", why) for name in names)
