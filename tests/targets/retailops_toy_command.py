"""A command of its own process that runs one toy job: something to interrupt and to kill.

Arguments: the workspace, the job's key, and what it does; prints the job's notes and, at the end, how it ended.
"""

from __future__ import annotations

import sys
from pathlib import Path

from retailops.errors import RetailOpsError
from retailops.ports import Job
from retailops.progress import Silent
from retailops.targets.local.jobs import LocalJobs
from retailops.targets.local.workspace import Workspace


class Aloud(Silent):
    def note(self, text: str) -> None:
        print(text, flush=True)


def main(folder: Path, key: str, act: str) -> int:
    toy = (sys.executable, "-P", str(Path(__file__).with_name("retailops_toy_worker.py")))
    jobs = LocalJobs(Workspace(folder, "retail-demo", folder.parent), worker=toy)
    try:
        done = jobs.run(Job("train", key, {}, {"do": act}), Aloud())
    except RetailOpsError as error:
        print(type(error).__name__, flush=True)
        return error.code
    except KeyboardInterrupt:
        print("KeyboardInterrupt", flush=True)
        return 130
    print("done", done.result, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
