"""doctor: whether everything that this config needs is there, before anything is created."""

from __future__ import annotations

from dataclasses import asdict

from retailops.lifecycle.outcome import Outcome
from retailops.ports import Target
from retailops.progress import Progress


def doctor(target: Target, progress: Progress) -> Outcome:
    """All findings; a failed one ends with exit 3."""
    findings = list(target.doctor.findings(progress))
    return Outcome({"findings": [asdict(each) for each in findings]})
