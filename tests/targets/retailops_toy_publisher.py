"""A command of its own that publishes a file of customer features and kills itself at a named point.

Arguments: the workspace, the version, the file, the point.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from tests.targets.feature_records import CUSTOMER

from retailops import files
from retailops.progress import Silent
from retailops.targets.local import history, online
from retailops.targets.local.features import LocalFeatures
from retailops.targets.local.workspace import Workspace


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Clock:
    """Asked for the time when all rows are inserted and nothing is committed."""

    now = staticmethod(die)


class After(online.Online):
    """Dies when the switch is done, before anything else is."""

    def switch(self, *arguments: Any) -> int:
        super().switch(*arguments)
        die()
        return 0


POINTS: dict[str, Any] = {
    "before anything is written": (history, "_ingest", die),
    "written, not yet complete": (files, "write_json", die),
    "complete, not yet in its place": (files, "move", die),
    "offline, not yet online": (online.Online, "switch", die),
    "in the middle of the switch": (online, "datetime", Clock),
    "after the switch": None,
}


def main(workspace: str, version: str, path: str, point: str) -> None:
    store = LocalFeatures(Workspace(Path(workspace), "retail-demo", Path(workspace).parent), 1, 300)
    store._workspace.claim()
    if POINTS[point]:
        setattr(*POINTS[point])
    else:
        store._online = After(store._online._path)
    store.publish(CUSTOMER, version, Path(path), Silent())


if __name__ == "__main__":
    main(*sys.argv[1:])
