"""How `make test` divides the suite between processes: by file, the longest ones first.

What the tests of a file share is then made once, and each process has its own emulator, folders and servers. Tests on
a cluster or with an engine are one share: they use the same few ports and cores.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

CLUSTER = "cluster"
SHARED = {"cluster", "docker", "registry"}  # fixtures
FIRST = "test_stack.py"
# The next ones in about the order of their time; all others take less than half a minute.
LONG: tuple[str, ...] = ()


def arranged(items: list[pytest.Item]) -> list[pytest.Item]:
    """In the order in which processes take them; those of a cluster are marked as one share."""
    for each in items:
        if _on_cluster(each):
            each.add_marker(pytest.mark.xdist_group(CLUSTER))
    return sorted(items, key=_rank)


def _rank(item: pytest.Item) -> int:
    name = item.path.name
    if name == FIRST or _on_cluster(item):
        return 0 if name == FIRST else 1
    return 2 + (LONG.index(name) if name in LONG else len(LONG))


def _on_cluster(item: pytest.Item) -> bool:
    return not SHARED.isdisjoint(getattr(item, "fixturenames", ()))


class ByFile(LoadScopeScheduling):
    """xdist puts @GROUP behind the name of what is marked; everything else goes by its file."""

    def _split_scope(self, nodeid: str) -> str:
        return CLUSTER if nodeid.endswith(f"@{CLUSTER}") else nodeid.partition("::")[0]


def scheduler(config: pytest.Config, log: Any) -> ByFile:
    config.option.loadscopereorder = False  # by the number of tests, which says nothing about their time
    return ByFile(config, log)
