"""How `make test` divides the suite between processes: by file, the longest ones first.

What the tests of a file share is then made once, and each process has its own emulator, folders and servers. Tests on
a cluster or with an engine are one share: they use the same few ports and cores.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

CLUSTER = "cluster"
SHARED = ("cluster", "docker", "registry")  # fixtures of tests/conftest.py; whatever uses one of them is named here:
ON_CLUSTER = (
    "aws/test_autoscaling.py",
    "aws/test_cluster_jobs_carried.py",
    "aws/test_images.py",
    "aws/test_manifests_asked.py",
    "batch/test_on_a_cluster.py",
    "images/test_containers.py",
    "rollout/test_life.py",
    "rollout/test_safety.py",
    "rollout/test_seven_cases.py",
    "targets/test_local_doctor.py",
)
FIRST = "aws/test_stack.py"
# The next ones in about the order of their time; all others take less than half a minute.
LONG = (
    "aws/test_jobs_same.py",
    "aws/test_templates.py",
    "aws/test_jobs_resume.py",
    "house/test_packaging.py",
    "aws/test_spark_jobs.py",
    "retail/test_spark.py",
    "aws/test_tuner.py",
    "cli/test_documents.py",
    "lifecycle/test_life.py",
    "lifecycle/test_tune.py",
    "house/test_additions.py",
    "local_serving/test_failures.py",
    "aws/test_removal.py",
    "aws/test_doctor.py",
)


def arranged(items: list[pytest.Item]) -> list[pytest.Item]:
    """In the order in which processes take them. UsageError for a test on a cluster whose file isn't named."""
    for each in items:
        if _uses_cluster(each) and _name(each.path) not in ON_CLUSTER:
            raise pytest.UsageError(f"{each.nodeid} needs a cluster or an engine: name its file in tests/shares.py.")
    return sorted(items, key=_rank)


def _rank(item: pytest.Item) -> tuple[int, int]:
    name = _name(item.path)
    for number, group in enumerate(((FIRST,), ON_CLUSTER, LONG)):
        if name in group:
            return number, group.index(name)
    return 3, 0


def _name(path: Path) -> str:
    return "/".join(path.parts[-2:])


def _uses_cluster(item: pytest.Item) -> bool:
    """Other fixtures may have these names too."""
    known = item._fixtureinfo.name2fixturedefs if isinstance(item, pytest.Function) else {}
    used = [known[name][-1].func.__code__.co_filename for name in SHARED if name in known]
    return any(Path(each).parent == Path(__file__).parent for each in used)


class ByFile(LoadScopeScheduling):
    """xdist puts @GROUP behind the name of what is marked; everything else goes by its file."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return CLUSTER if _name(Path(file)) in ON_CLUSTER else file


def scheduler(config: pytest.Config, log: Any) -> ByFile:
    config.option.loadscopereorder = False  # by the number of tests, which says nothing about their time
    return ByFile(config, log)
