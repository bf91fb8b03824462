"""Floor 3: the Python libraries that retailops asks for: whether they are there, in a wanted version, and load."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.markers import Marker

OURS = "retailops"
_PATIENCE_S = 120
_MODULES = {  # where a library's module isn't called like the library
    "mlflow-skinny": "mlflow",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
    "xgboost-cpu": "xgboost",
}
# Loading happens in a process of its own: a broken native library ends that process, not ours.
_LOAD = """
import importlib, json, sys, warnings
warnings.simplefilter("ignore")
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
        fault = ""
    except BaseException as problem:
        fault = f"{type(problem).__name__}: {problem}"
    sys.stdout.write(json.dumps([name, fault]) + "\\n")
    sys.stdout.flush()
"""


@dataclass(frozen=True)
class Library:
    """One requirement: `found` is the installed version, empty when there is none; `fault` says what is wrong."""

    name: str
    wanted: str
    found: str
    fault: str


def libraries(extra: str = "") -> list[Library]:
    """The requirements of retailops, or of one of its extras, each looked at. Empty when it isn't installed itself."""
    looked = [_installed(name, wanted) for name, wanted in _requirements(extra)]
    faults = _loading(tuple(_module(each.name) for each in looked if not each.fault))
    return [
        each if each.fault else Library(each.name, each.wanted, each.found, faults.get(_module(each.name), ""))
        for each in looked
    ]


def _requirements(extra: str) -> Iterator[tuple[str, str]]:
    """Name and wanted versions; of an extra, what it adds, and what the extras add that it names."""
    from packaging.requirements import Requirement

    try:
        declared = metadata.requires(OURS) or []
    except metadata.PackageNotFoundError:
        return
    for text in declared:
        requirement = Requirement(text)
        if not _asked(requirement.marker, extra):
            continue
        if requirement.name == OURS:
            for other in sorted(requirement.extras):
                yield from _requirements(other)
        else:
            yield requirement.name, str(requirement.specifier)


def _asked(marker: Marker | None, extra: str) -> bool:
    always = marker is None or marker.evaluate({"extra": ""})
    if not extra:
        return always
    return not always and marker is not None and marker.evaluate({"extra": extra})


def _installed(name: str, wanted: str) -> Library:
    from packaging.specifiers import SpecifierSet

    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Library(name, wanted, "", "isn't installed")
    fits = SpecifierSet(wanted).contains(found, prereleases=True)
    return Library(name, wanted, found, "" if fits else f"is {found}, wanted is {wanted}")


def _module(name: str) -> str:
    return _MODULES.get(name, name.replace("-", "_"))


def _loading(modules: tuple[str, ...]) -> dict[str, str]:
    """Module → why it doesn't load. One that ended the process is named, and those after it are tried again."""
    found: dict[str, str] = {}
    rest = modules
    while rest:
        done, code = _load(rest)
        found.update(done)
        rest = rest[len(done) :]
        if rest:
            found[rest[0]] = f"ends Python when it is loaded (exit {code})"
            rest = rest[1:]
    return {name: f"doesn't load: {fault}" for name, fault in found.items() if fault}


def _load(modules: tuple[str, ...]) -> tuple[dict[str, str], int | str]:
    """Those that were tried, in their order, and how the process ended."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _LOAD, *modules], capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired:
        return {}, f"none after {_PATIENCE_S} s"
    lines = [line for line in done.stdout.splitlines() if line.startswith('["')]
    return dict(json.loads(line) for line in lines), done.returncode
