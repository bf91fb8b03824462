"""doctor: whether everything that this config needs is there, before anything is created."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from retailops.errors import NotReady, Unsupported, UsageError
from retailops.lifecycle.outcome import Outcome
from retailops.ports import Finding, Target
from retailops.progress import Progress


def doctor(target: Target, progress: Progress) -> Outcome:
    """All findings; a failed one ends with exit 3."""
    findings = examined(target, progress)
    failed = blocking(findings)
    warnings = sum(each.state == "warning" for each in findings)
    result = {"findings": [asdict(each) for each in findings], "failed": len(failed), "warnings": warnings}
    names = ", ".join(dict.fromkeys(each.check for each in failed))
    problem = NotReady(f"Not ready: {names}.", "Do what the arrows say, then look again: retailops doctor")
    return Outcome(result, failed=problem if failed else None)


def policy(target: Target, area: str | None) -> Outcome:
    """The least rights for this config: all policies by area, or the one of `area` alone."""
    found = dict(target.doctor.policy())
    if not found:
        raise Unsupported(
            f"The target {target.name} needs no rights of a cloud, so there is no policy.", "aws has: add --target aws."
        )
    if area is None:
        return Outcome(found)
    if area not in found:
        raise UsageError(f"There is no policy for {area!r}.", f"There are: {', '.join(found)}.")
    return Outcome(found[area])


def examined(target: Target, progress: Progress) -> list[Finding]:
    """All findings, each told as it comes."""
    found = []
    for finding in target.doctor.findings(progress):
        progress.note(f"{finding.state}: {finding.check}")
        found.append(finding)
    return found


def blocking(findings: Iterable[Finding]) -> list[Finding]:
    """Those that stand in the way of creating anything."""
    return [each for each in findings if each.state == "failed"]


def refusal(findings: Iterable[Finding]) -> NotReady | None:
    """The error that a command ends with that would have created something; None when nothing stands in the way."""
    failed = blocking(findings)
    if not failed:
        return None
    lines = "\n".join(f"{each.check}: {each.what}" for each in failed)
    return NotReady(f"Nothing was created, for it can't work yet:\n{lines}", "Each with its fix: retailops doctor")
