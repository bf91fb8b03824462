"""How the suite is divided between processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import shares

ROOT = Path(__file__).parents[2]
TESTS = Path(__file__).parents[1]


def test_the_long_files_are_files_and_named_once() -> None:
    names = ["/".join(path.parts[-2:]) for path in TESTS.rglob("test_*.py")]
    named = (shares.FIRST, *shares.ON_CLUSTER, *shares.LONG)
    assert len(set(named)) == len(named)
    assert [each for each in named if names.count(each) != 1] == []


def test_a_share_is_a_file_or_all_that_needs_the_cluster() -> None:
    share = shares.ByFile._split_scope
    assert share(None, "tests/a/test_x.py::test_y[p@q]") == "tests/a/test_x.py"  # type: ignore[arg-type]
    for each in shares.ON_CLUSTER:
        assert share(None, f"tests/{each}::test_y[p]") == "cluster"  # type: ignore[arg-type]


@pytest.mark.slow
def test_in_two_processes_a_file_stays_whole_and_what_is_told_is_shown(tmp_path: Path) -> None:
    """The suite's own hooks, over a suite of three small files."""
    (tmp_path / "pyproject.toml").write_text('[tool.pytest]\naddopts = ["--import-mode=importlib"]\n')
    (tmp_path / "conftest.py").write_text((TESTS / "conftest.py").read_text())
    one = "import os\n\ndef test_one(tell):\n    tell(f'FILE runs in {os.getpid()}')\n\n"
    other = "def test_other(tell):\n    tell(f'FILE runs in {os.getpid()}')\n"
    clustered = tmp_path / "images" / "test_containers.py", tmp_path / "rollout" / "test_life.py"
    for path in clustered:
        path.parent.mkdir()
        path.write_text((one + other).replace("FILE", "cluster"))
    for name in ("a", "b", "c"):
        (tmp_path / f"test_{name}.py").write_text((one + other).replace("FILE", name))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", "--dist", "loadfile"]
    environment = {"PYTHONPATH": str(TESTS), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    told = [line.split(": ", 1)[1] for line in done.stdout.splitlines() if " runs in " in line]
    assert len(told) == 10 and len(set(told)) == 4, "each file in one process, and the cluster's two in the same"
    assert "10 passed in" in done.stdout.splitlines()[-1]
