"""Floor 3: scanners for known faults in images, used when one is on the PATH: Trivy, or Grype."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from typing import Any

from retailops.errors import TargetFailed
from retailops.tools.diagnosis import plain

_PATIENCE_S = 900.0
_COMMANDS = {
    "trivy": ("image", "--quiet", "--scanners=vuln", "--format=json"),
    "grype": ("--quiet", "--output=json"),
}


def installed() -> str | None:
    """The scanner of this machine."""
    return next((name for name in _COMMANDS if shutil.which(name)), None)


def findings(scanner: str, image: str) -> dict[str, int]:
    """Known faults of an image of the engine, by severity in capitals, each once. TargetFailed when it can't look."""
    program = shutil.which(scanner) or scanner
    try:
        done = subprocess.run(
            [program, *_COMMANDS[scanner], image], capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
        found = json.loads(done.stdout) if done.returncode == 0 else None
    except (OSError, ValueError, subprocess.TimeoutExpired) as problem:
        raise _failed(scanner, image, str(problem)) from problem
    if found is None:
        raise _failed(scanner, image, done.stderr)
    faults = set(_of_trivy(found) if scanner == "trivy" else _of_grype(found))
    return dict(Counter(severity for *_, severity in faults))


def _of_trivy(found: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for result in found.get("Results") or []:
        for each in result.get("Vulnerabilities") or []:
            yield each["VulnerabilityID"], each.get("PkgName", ""), str(each.get("Severity", "UNKNOWN")).upper()


def _of_grype(found: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for each in found.get("matches") or []:
        fault = each["vulnerability"]
        yield fault["id"], each.get("artifact", {}).get("name", ""), str(fault.get("severity", "Unknown")).upper()


def _failed(scanner: str, image: str, says: str) -> TargetFailed:
    return TargetFailed(
        f"{scanner} couldn't look over {image}: {plain(says)[-400:]}",
        f"See why: {scanner} {' '.join(_COMMANDS[scanner])} {image}. Without {scanner} on the PATH it isn't asked.",
    )
