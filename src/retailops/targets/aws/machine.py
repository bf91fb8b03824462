"""Floor 4, aws: what this machine must have before it can build anything in an account."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from retailops.errors import RetailOpsError
from retailops.ports import Finding
from retailops.tools import libraries, programs
from retailops.tools.terraform import Terraform

_INSTALL = 'pip install "retailops[aws]"'
# Wanted by later commands, not by infra: name → how to ask for the version, what needs it.
_LATER = {
    "kubectl": (("version", "--client"), "only you need it, to look into the cluster by hand"),
    "docker": (("--version",), "only image build needs it"),
}


def machine() -> Iterator[Finding]:
    """Libraries, Terraform, and the programs that may be missing."""
    found = libraries.libraries("aws")
    wrong = [each for each in found if each.fault]
    if not found:
        yield Finding(
            "libraries", "skipped", "retailops isn't installed as a package, so nobody knows what it asks for"
        )
    elif wrong:
        yield Finding("libraries", "failed", "\n".join(f"{each.name} {each.fault}" for each in wrong), _INSTALL)
    else:
        yield Finding("libraries", "ok", ", ".join(f"{each.name} {each.found}" for each in found))
    yield _terraform()
    for name, (arguments, use) in _LATER.items():
        version = programs.version(name, *arguments)
        missing = Finding(name, "skipped", f"isn't installed; {use}")
        yield missing if version is None else Finding(name, "ok", version or "is there")


def _terraform() -> Finding:
    with tempfile.TemporaryDirectory() as folder:
        try:
            version = Terraform(Path(folder), Path(folder)).version()
        except ImportError:
            return Finding("terraform", "failed", "python-terraform isn't installed, which asks Terraform", _INSTALL)
        except RetailOpsError as problem:
            return Finding("terraform", "failed", problem.what, problem.fix)
    return Finding("terraform", "ok", f"Terraform {'.'.join(map(str, version))}")
