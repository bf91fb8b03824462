"""The floors of the house, and what may be imported when."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def loaded_after(statement: str) -> set[str]:
    """Top-level packages in memory after `statement` in a fresh interpreter."""
    tell = "import sys; sys.stderr.write('loaded:' + ' '.join({name.partition('.')[0] for name in sys.modules}))"
    script = f"{statement}\n{tell}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stderr.rpartition("loaded:")[2].split())


def test_import_contracts_hold() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


HEAVY = {
    "boto3",
    "duckdb",
    "matplotlib",
    "mlflow",
    "numpy",
    "onnx",
    "onnxruntime",
    "pandas",
    "pyarrow",
    "scipy",
    "sklearn",
}


@pytest.mark.parametrize("line", ["--help", "train --help", "models --help", "--version", "trian"])
def test_help_imports_nothing_heavy(line: str) -> None:
    loaded = loaded_after(f"from retailops.cli.app import execute; execute({line.split()!r})")
    assert "typer" in loaded
    assert not loaded & (HEAVY | {"yaml", "fastapi", "xgboost"})
    if line == "--help":  # the first page is the one that everybody waits for
        assert not loaded & {"pydantic", "rich"}


CHEAP = ["config", "errors", "ports", "retail.algorithms", "targets", "targets.local.settings", "lifecycle.outcome"]


@pytest.mark.parametrize("room", CHEAP)
def test_reading_retail_yaml_imports_nothing_heavy(room: str) -> None:
    assert not loaded_after(f"import retailops.{room}") & (HEAVY | {"typer", "rich"})


def test_the_server_imports_no_training() -> None:
    loaded = loaded_after("import retailops.serving.__main__, retailops.serving.server")
    assert not loaded & {
        "duckdb",
        "matplotlib",
        "mlflow",
        "pandas",
        "pyarrow",
        "scipy",
        "sklearn",
        "typer",
        "xgboost",
        "yaml",
    }
