"""The real worker, which keeps every round and dies where the file says that is its first argument.

The file is a JSON list of {"name", "round", "moment"}, each of which happens once, however often the job is started:
`before` the round is kept, `torn` in the middle of writing it, right `after` it, or, with `wait`, whenever somebody
takes the machine away after it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from retailops import files, worker
from retailops.retail import checkpoint
from retailops.retail.checkpoint import Checkpoint, State

CUTS = Path(sys.argv.pop(1))
_save = Checkpoint.save


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def save(self: Checkpoint, done: str, state: State) -> None:
    cuts = json.loads(CUTS.read_text())
    here = {"name": self._path.stem if self._path else "", "round": done.partition(" ")[0]}
    moment = next((cut["moment"] for cut in cuts if {**cut, **here} == cut), "")
    left = [cut for cut in cuts if {**cut, **here} != cut]
    if moment == "wait":
        _save(self, done, state)
        files.write_json(CUTS, left)
        signal.pause()
    if moment:
        files.write_json(CUTS, left)
    if moment == "before":
        die()
    if moment == "torn":
        os.fsync = die  # what was written so far has its temporary name
    _save(self, done, state)
    if moment == "after":
        die()


if __name__ == "__main__":
    checkpoint.EVERY_S = 0.0
    checkpoint._SHARE = 0
    Checkpoint.save = save  # type: ignore[method-assign]
    sys.exit(worker.main())
