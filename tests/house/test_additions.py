"""A target and an algorithm are added by files of their own and one line each, and the whole flow takes them."""

from __future__ import annotations

import difflib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
TOY = Path(__file__).parent / "toy"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with the toy target and the toy algorithm in it."""
    root = tmp_path_factory.mktemp("package")
    package = root / "retailops"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src" / "retailops", package, ignore=ignored)
    shutil.copytree(ROOT / "templates", package / "templates", ignore=ignored)
    target = package / "targets" / "toy"
    target.mkdir()
    shutil.copy(TOY / "settings.py", target)
    shutil.copy(TOY / "target.py", target / "__init__.py")
    shutil.copy(TOY / "algorithm.py", package / "retail" / "algorithms" / "toy_line.py")
    name_it(package / "targets" / "__init__.py", '"retailops.targets.local"', ', "toy": "retailops.targets.toy"')
    name_it(package / "retail" / "algorithms" / "__init__.py", '"logistic_regression"', ', "toy_line"')
    return root


def name_it(file: Path, after: str, addition: str) -> None:
    text = file.read_text()
    assert text.count(after) == 1
    file.write_text(text.replace(after, after + addition))


def retailops(package: Path, folder: Path, *words: str, code: int = 0) -> Any:
    environment = {**os.environ, "PYTHONPATH": str(package)}
    command = [sys.executable, "-m", "retailops", *words, "--json", "--quiet"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_each_addition_touches_one_line_of_one_file_that_was_there(package: Path) -> None:
    changed: list[tuple[str, int]] = []
    for path in sorted((ROOT / "src" / "retailops").rglob("*.py")):
        ours = package / "retailops" / path.relative_to(ROOT / "src" / "retailops")
        before, after = path.read_text().splitlines(), ours.read_text().splitlines()
        added = [line for line in difflib.ndiff(before, after) if line.startswith("+ ")]
        if added:
            changed.append((str(path.relative_to(ROOT / "src" / "retailops")), len(added)))
    assert changed == [("retail/algorithms/__init__.py", 1), ("targets/__init__.py", 1)]


def test_the_toy_target_trains_the_toy_algorithm(package: Path, tmp_path: Path, synthetic_csvs: Path) -> None:
    (tmp_path / "retail.yaml").write_text(
        f"target: toy\ndata: {{input: {json.dumps(str(synthetic_csvs))}}}\ntrain: {{algorithms: [toy_line]}}\n"
    )
    built = retailops(package, tmp_path, "infra", "up")
    assert [change["name"] for change in built["changes"]] == [str(tmp_path / "shelf")]
    retailops(package, tmp_path, "etl")
    trained = retailops(package, tmp_path, "train", "--algo", "toy_line")
    assert trained["target"] == "toy"
    assert trained["result"]["scorecards"]["toy_line"]["accuracy"] > 0.8
    refused = retailops(package, tmp_path, "logs", code=6)
    assert "local" in refused["error"]["fix"]
    retailops(package, tmp_path, "teardown", "--yes")
    assert not (tmp_path / "shelf").exists()


def test_the_toy_algorithm_goes_all_the_way_on_local(package: Path, tmp_path: Path, synthetic_csvs: Path) -> None:
    (tmp_path / "retail.yaml").write_text(
        f"data: {{input: {json.dumps(str(synthetic_csvs))}}}\ntrain: {{algorithms: [toy_line]}}\n"
    )
    retailops(package, tmp_path, "etl")
    retailops(package, tmp_path, "train")
    untuned = retailops(package, tmp_path, "tune", "--algo", "toy_line", code=2)
    assert "toy_line can't be tuned" in untuned["error"]["what"] and "xgboost" in untuned["error"]["fix"]
    assert retailops(package, tmp_path, "register")["result"]["algorithm"] == "toy_line"
    retailops(package, tmp_path, "teardown", "--yes")
