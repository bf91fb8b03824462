"""A new target or algorithm touches its own files and one line each: shown by adding a toy of both to a copy."""

from __future__ import annotations

import difflib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

ALGORITHM = '''
"""A toy: a tree of few questions."""

from __future__ import annotations

from retailops.retail.algorithms.decision_tree import fit, probabilities, to_onnx

DEFAULTS = {"max_depth": 3}
__all__ = ["DEFAULTS", "fit", "probabilities", "to_onnx"]
'''

TARGET = '''
"""A toy target: it remembers a folder and can do nothing else."""

from __future__ import annotations

from retailops.errors import Unsupported
from retailops.ports import Change, Target


class Nothing:
    """Every port that a toy doesn't have."""

    def __getattr__(self, name):
        raise Unsupported(f"The target toy can't do that ({name}).", "Use the target local.")


class ToyInfra:
    def __init__(self, folder):
        self.folder = folder

    def changes(self):
        return [] if self.folder.exists() else [Change("create", "folder", str(self.folder))]

    def apply(self, progress):
        self.folder.mkdir(exist_ok=True)

    def removals(self):
        return [Change("delete", "folder", str(self.folder))] if self.folder.exists() else []

    def remove(self, progress):
        if self.folder.exists():
            self.folder.rmdir()

    def left(self):
        return [Change("left", "folder", str(self.folder))] if self.folder.exists() else []


def open(config):
    nothing = Nothing()
    infra = ToyInfra(config.folder / config.settings("toy").box)
    return Target("toy", config, nothing, nothing, nothing, nothing, nothing, infra)
'''

SETTINGS = '''
"""The `toy` section of retail.yaml."""

from __future__ import annotations

from retailops.config import Section


class Settings(Section):
    box: str = "toy-box"
'''


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources with both toys in."""
    source = tmp_path_factory.mktemp("growth") / "src"
    shutil.copytree(ROOT / "src" / "retailops", source / "retailops", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(
        ROOT / "templates", source / "retailops" / "templates", ignore=shutil.ignore_patterns("__pycache__")
    )
    package = source / "retailops"
    (package / "retail" / "algorithms" / "toy.py").write_text(ALGORITHM.lstrip())
    _edit(package / "retail" / "algorithms" / "__init__.py", '"xgboost")', '"xgboost", "toy")')
    (package / "targets" / "toy").mkdir()
    (package / "targets" / "toy" / "__init__.py").write_text(TARGET.lstrip())
    (package / "targets" / "toy" / "settings.py").write_text(SETTINGS.lstrip())
    _edit(
        package / "targets" / "__init__.py",
        '"retailops.targets.local"}',
        '"retailops.targets.local", "toy": "retailops.targets.toy"}',
    )
    return source


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, f"{path}: {old}"
    path.write_text(text.replace(old, new))


def _changed(copy: Path) -> Iterator[str]:
    """Lines of files that exist in both trees and differ."""
    for path in (ROOT / "src" / "retailops").rglob("*.py"):
        ours, theirs = path.read_text(), (copy / path.relative_to(ROOT / "src")).read_text()
        for line in difflib.unified_diff(ours.splitlines(), theirs.splitlines(), n=0):
            if line.startswith("+") and not line.startswith("+++"):
                yield line


def retailops(copy: Path, folder: Path, *words: str, code: int = 0) -> Any:
    """The document of a command of the grown program."""
    done = subprocess.run(
        [sys.executable, "-m", "retailops", *words, "--json", "--quiet"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_two_toys_are_two_lines(copy):
    assert len(list(_changed(copy))) == 2


def test_a_toy_target_is_a_target_like_any_other(copy, tmp_path):
    retailops(copy, tmp_path, "init")
    settings = retailops(copy, tmp_path, "config", "show", "--target", "toy")["result"]["settings"]
    assert settings["toy.box"] == {"value": "toy-box", "origin": "default"}
    created = retailops(copy, tmp_path, "infra", "up", "--target", "toy")
    assert created["target"] == "toy"
    assert [change["action"] for change in created["changes"]] == ["create"]
    assert (tmp_path / "toy-box").is_dir()
    assert "can't do that" in retailops(copy, tmp_path, "etl", "--target", "toy", code=6)["error"]["what"]
    assert retailops(copy, tmp_path, "teardown", "--target", "toy", code=2)["error"]["fix"]
    retailops(copy, tmp_path, "teardown", "--target", "toy", "--yes")
    assert not (tmp_path / "toy-box").exists()


@pytest.mark.slow
def test_a_toy_algorithm_is_trained_judged_and_registered(copy, tmp_path, synthetic_csvs):
    retailops(copy, tmp_path, "init")
    retailops(copy, tmp_path, "etl", "--input", str(synthetic_csvs))
    trained = retailops(copy, tmp_path, "train", "--algo", "toy")["result"]
    assert trained["scorecards"]["toy"]["accuracy"] > 0.75
    assert retailops(copy, tmp_path, "register")["result"]["algorithm"] == "toy"
    retailops(copy, tmp_path, "teardown", "--yes")
