"""One model of XGBoost by several machines, each with its own columns of all baskets: the bits of one machine alone.

With the rows divided, histograms are summed in another order and each machine draws its own rows, so trees differ. With
the columns divided, each histogram is made by one machine, all draw the same rows, and only the best splits and which
way each basket goes are told around.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray
from xgboost import DMatrix, collective
from xgboost.core import DataSplitMode
from xgboost.tracker import RabitTracker

from retailops.errors import TargetFailed, UsageError
from retailops.retail.algorithms.xgboost_rounds import MODEL, ROUNDS, Rounds
from retailops.retail.checkpoint import NOWHERE, Checkpoint, State
from retailops.retail.team import Team

PORT = 12091  # where the machines meet; XGBoost's own ports are told there
_PATIENCE_S = 1800.0  # for the others, who have the same to do before they come
_AGAIN_S = 0.2


def train(
    params: Mapping[str, Any],
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    total: int,
    checkpoint: Checkpoint,
    team: Team,
) -> bytes:
    """The model of `total` rounds, the same on every machine; the leader keeps rounds, and all go on from them."""
    if team.size > x.shape[1]:
        raise UsageError(
            f"{team.size} machines can't share {x.shape[1]} features.", "Train on as many instances at most."
        )
    mine = np.array_split(np.arange(x.shape[1]), team.size)[team.number]
    matrix = partial(DMatrix, data_split_mode=DataSplitMode.COL, nthread=params["n_jobs"])
    with _joined(team):
        state = _shared(checkpoint.load() if team.leads else None)
        rounds = Rounds(
            x, total, checkpoint if team.leads else NOWHERE, state, lambda few, **more: matrix(few[:, mine], **more)
        )
        data = matrix(x[:, mine], label=y, base_margin=rounds.margin)
        model = xgboost.train(dict(params), data, rounds.left, callbacks=[rounds])
        return bytes(model.save_raw("json"))


def _shared(state: State | None) -> State | None:
    """The leader's state, everywhere. Byte by byte, since XGBoost's own broadcast pickles."""
    model, rounds = (state[MODEL], int(state[ROUNDS])) if state else (np.zeros(0, np.uint8), 0)
    size, rounds = collective.allreduce(np.array([len(model), rounds]), collective.Op.MAX).tolist()
    if not size:
        return None
    room = np.zeros(size, np.uint8)
    room[: len(model)] = model
    return {MODEL: collective.allreduce(room, collective.Op.MAX), ROUNDS: np.array(rounds)}


@contextmanager
def _joined(team: Team) -> Iterator[None]:
    """All machines, connected by XGBoost's collective; the leader keeps its tracker."""
    tracker = None
    if team.leads:
        address = socket.gethostbyname(team.host)
        tracker = RabitTracker(n_workers=team.size, host_ip=address, sortby="task")
        tracker.start()
        told = tracker.worker_args()
        _tell(team, address, told)
    else:
        told = _asked(team)
    with collective.CommunicatorContext(**told, dmlc_task_id=f"{team.number:04d}", dmlc_timeout=int(_PATIENCE_S)):
        yield
    if tracker:
        tracker.wait_for()


def _tell(team: Team, address: str, what: Mapping[str, Any]) -> None:
    """Tell every other machine, once it comes."""
    with socket.create_server((address, PORT), backlog=team.size) as door:
        door.settimeout(_PATIENCE_S)
        try:
            for _ in range(team.size - 1):
                with door.accept()[0] as other:
                    other.sendall(json.dumps(what).encode())
        except TimeoutError:
            raise _nobody(team) from None


def _asked(team: Team) -> Any:
    """What the leader tells, once it is there."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((team.hosts[0], PORT), timeout=_PATIENCE_S) as leader:
                return json.loads(b"".join(iter(lambda: leader.recv(4096), b"")))
        except (ConnectionError, socket.gaierror):
            time.sleep(_AGAIN_S)
    raise _nobody(team)


def _nobody(team: Team) -> TargetFailed:
    return TargetFailed(
        f"The {team.size} machines of this training never met: {', '.join(team.hosts)}.", "Run the same command again."
    )
