"""What a schema can't see: whether objects that speak of one another mean what is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

from retailops.errors import ConfigError
from retailops.manifests.objects import Objects
from retailops.ports import Manifest


@dataclass(frozen=True)
class Problem:
    where: str  # the object, and the path in it
    what: str
    fix: str


@dataclass(frozen=True)
class Check:
    """One thing that is looked at, for all objects together."""

    name: str
    look: Callable[[Objects], Iterator[Problem]]


def problems(objects: Objects, checks: Iterable[Check]) -> list[tuple[str, Problem]]:
    """Check's name and problem, in the checks' order."""
    return [(check.name, problem) for check in checks for problem in check.look(objects)]


def proved(manifests: Sequence[Manifest], checks: Iterable[Check]) -> tuple[Manifest, ...]:
    """The manifests themselves. ConfigError with every problem: nothing faulty is written down or rolled out."""
    found = problems(Objects(each for manifest in manifests for each in manifest.objects), checks)
    if found:
        lines = [f"{problem.where}: {problem.what} ({name}). {problem.fix}" for name, problem in found]
        raise ConfigError(
            "The manifests don't hold together:\n" + "\n".join(lines),
            "Nothing was written or rolled out. Correct what is named above, then run this again.",
            details={"problems": [{"check": name, **asdict(problem)} for name, problem in found]},
        )
    return tuple(manifests)
