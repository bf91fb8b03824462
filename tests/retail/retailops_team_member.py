"""One machine of a team: fits xgboost with the others, and writes its model; `CUT` rounds after which it is cut off."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np

from retailops import environment
from retailops.retail import algorithms, checkpoint
from retailops.retail.algorithms.xgboost_rounds import Rounds
from retailops.retail.checkpoint import Checkpoint
from retailops.retail.team import Team

data, hosts, kept, output, cut = (*map(Path, sys.argv[1:5]), int(sys.argv[5]))

if __name__ == "__main__":
    environment.limit_threads(1)
    checkpoint.EVERY_S = 0.0
    after = Rounds.after_iteration

    def cutting(self: Rounds, model: object, epoch: int, log: object) -> bool:
        after(self, model, epoch, log)
        if self.there + epoch + 1 == cut:
            os.kill(os.getpid(), signal.SIGKILL)
        return False

    Rounds.after_iteration = cutting  # type: ignore[method-assign]
    with np.load(data) as arrays:
        x, y = arrays["x"], arrays["y"]
    algorithm = algorithms.load("xgboost")
    params = {**algorithm.DEFAULTS, "n_estimators": 12}
    team = Team.read(hosts)
    model = algorithms.together("xgboost")(x, y, params, 7, 1, Checkpoint(kept, {}), team)
    output.write_bytes(algorithm.to_onnx(model, x.shape[1]))
