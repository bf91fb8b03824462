"""A command of its own that runs an ETL on a cluster, for tests that kill it: FOLDER SOURCE IMAGE [WORKER JSON]."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from retailops import config as configuration
from retailops import targets
from retailops.errors import RetailOpsError
from retailops.ports import Image, Job, ModelVersion
from retailops.targets.local.cluster_jobs import ClusterJobs
from retailops.targets.local.workspace import Workspace


class OneImage:
    def find(self, model: ModelVersion | None) -> Image | None:
        return Image(sys.argv[3], "worker", 0)


class Aloud:
    def stage(self, text: str, total: int | None = None, unit: str = "") -> None:
        print(f"stage {text}", flush=True)

    def advance(self, done: int, doing: str = "") -> None:
        return None

    def note(self, text: str) -> None:
        print(f"note {text}", flush=True)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    found = configuration.load(folder / "retail.yaml", targets=targets.settings(), algorithms=["xgboost"], environ={})
    workspace = Workspace(folder / ".retailops", found.project.name, folder)
    worker = json.loads(sys.argv[4]) if len(sys.argv) > 4 else ()
    jobs = ClusterJobs(workspace, found, OneImage(), worker=worker)  # type: ignore[arg-type]
    try:
        done = jobs.run(Job("etl", "k1", {"source": Path(sys.argv[2])}, {"memory_mb": 300, "threads": 1}), Aloud())
        print(f"done {json.dumps(done.result)}", flush=True)
    except RetailOpsError as problem:
        print(f"error {problem.code} {problem}", flush=True)
        sys.exit(problem.code)
