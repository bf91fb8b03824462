"""Several machines, as processes of this one: they train one model, to the bit the one that a single one trains."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from retailops.errors import Unsupported, UsageError
from retailops.retail import algorithms
from retailops.retail.team import ALONE, Team

MEMBER = Path(__file__).with_name("retailops_team_member.py")


def hosts(folder: Path, size: int) -> list[Path]:
    """A file a machine. Addresses of the loopback, the first of which nobody else uses."""
    first = f"127.{os.getpid() % 200 + 20}.{size}"
    names = [f"{first}.{number + 1}" for number in range(size)]
    files = [folder / f"host-{name}.json" for name in names]
    for file, name in zip(files, names, strict=True):
        file.write_text(json.dumps({"current_host": name, "hosts": names}))
    return files


def together(folder: Path, size: int, cut: int = 0) -> list[int]:
    """Train as so many processes; how each ended. The leader comes last."""
    started = []
    for number, file in reversed(list(enumerate(hosts(folder, size)))):
        paths = [folder / "data.npz", file, folder / f"kept-{number}", folder / f"model-{number}.onnx"]
        started.append(subprocess.Popen([sys.executable, str(MEMBER), *map(str, paths), str(cut)]))
    return [process.wait(120) for process in reversed(started)]


@pytest.fixture
def alone(tmp_path: Path) -> bytes:
    """The model of one machine, and what it learned from in a file for all."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(900, 7)).astype(np.float32)
    y = np.digitize(x[:, 0] + 0.5 * x[:, 3] + 0.7 * rng.normal(size=900), [-0.5, 0.5])
    np.savez(tmp_path / "data.npz", x=x, y=y)
    algorithm = algorithms.load("xgboost")
    model = algorithm.fit(x, y, {**algorithm.DEFAULTS, "n_estimators": 12}, 7, 1)
    return algorithm.to_onnx(model, x.shape[1])


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 3])
def test_several_machines_train_the_model_of_one_to_the_bit(size: int, alone: bytes, tmp_path: Path) -> None:
    assert together(tmp_path, size) == [0] * size
    assert [(tmp_path / f"model-{number}.onnx").read_bytes() for number in range(size)] == [alone] * size


@pytest.mark.slow
def test_several_machines_go_on_from_what_their_leader_kept(alone: bytes, tmp_path: Path) -> None:
    assert together(tmp_path, 2, cut=7) == [-signal.SIGKILL] * 2
    assert (tmp_path / "kept-0").is_file() and not (tmp_path / "kept-1").exists()
    assert together(tmp_path, 2) == [0, 0]
    assert [(tmp_path / f"model-{number}.onnx").read_bytes() for number in range(2)] == [alone] * 2


def test_the_first_of_the_hosts_leads_whatever_their_order(tmp_path: Path) -> None:
    path = tmp_path / "resourceconfig.json"
    path.write_text(json.dumps({"current_host": "algo-1", "hosts": ["algo-2", "algo-1"], "more": 1}))
    team = Team.read(path)
    assert (team.hosts, team.number, team.leads, team.size) == (("algo-1", "algo-2"), 0, True, 2)
    assert not Team(team.hosts, "algo-2").leads and ALONE.leads and ALONE.size == 1


@pytest.mark.parametrize("content", ["{}", "no json", '{"current_host": "algo-3", "hosts": ["algo-1"]}', "[]"])
def test_a_file_that_names_no_team_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "resourceconfig.json"
    path.write_text(content)
    with pytest.raises(UsageError, match="doesn't say which machine"):
        Team.read(path)


@pytest.mark.parametrize("name", ["decision_tree", "random_forest", "logistic_regression"])
def test_what_trains_on_one_machine_alone_says_so(name: str) -> None:
    with pytest.raises(Unsupported, match="trains on one machine") as caught:
        algorithms.together(name)
    assert "xgboost" in caught.value.fix
