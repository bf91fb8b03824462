"""The real worker, whose `etl` does what the first argument asks: for pods that die, wait, refuse or eat memory."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from retailops import worker
from retailops.errors import DataError, GateFailed, TargetFailed
from retailops.progress import Progress

ACT = sys.argv.pop(1)


def toy(inputs: Mapping[str, Path], output: Path, parameters: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    progress.stage("a toy's work", 10, "things")
    print("a library prints", flush=True)
    for zone in ("silver", "gold", "quarantine"):
        (output / zone).mkdir(parents=True, exist_ok=True)
        (output / zone / "part.txt").write_text(f"{zone} of {sorted(inputs)}")
    (output / "manifest.json").write_text("{}")
    if ACT == "wait":
        threading.Event().wait()
    if ACT == "memory":
        held = []
        while True:
            held.append(os.urandom(16 << 20))
    if ACT == "crash":
        os._exit(139)
    if ACT == "unlucky":
        raise TargetFailed("The disk is gone.", "Mend it.")
    if ACT == "gate":
        raise GateFailed("Too many rows in quarantine.", f"Look into {output / 'quarantine'}.", details={"rows": 7})
    if ACT == "data":
        raise DataError(f"{inputs['source'] / 'a.csv'}, line 7: QUANTITY is 'x'.", "Correct the line.")
    return {"dataset": "toy"}


if __name__ == "__main__":
    worker.KINDS["etl"] = toy
    sys.exit(worker.main())
