"""The floors of the house, and what may be imported when."""

from __future__ import annotations

import os
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


CLOUD = {"azure", "boto3", "botocore", "kubernetes", "moto", "python_terraform", "sagemaker"}


@pytest.mark.parametrize(
    "line",
    ["config validate", "config validate --target aws", "cost --target aws", "data synth --output rows --baskets 20"],
)
def test_a_command_that_asks_no_cloud_loads_no_cloud(line: str, tmp_path: Path) -> None:
    loaded = loaded_after(
        f"import os; os.chdir({str(tmp_path)!r})\nfrom retailops.cli.app import execute\n"
        f"assert execute(['init', '--quiet']) == 0 and execute({line.split()!r}) == 0"
    )
    assert "pydantic" in loaded and not loaded & CLOUD


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("etl --target local", set()),
        ("status --target local", set()),
        ("models runs --target aws", {"boto3", "botocore"}),
        ("infra plan --target aws", {"boto3", "botocore"}),
    ],
)
def test_the_sdk_of_aws_is_loaded_by_what_asks_aws_alone(
    line: str, wanted: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has logged in here, so whoever asks AWS fails by that, before anything leaves this machine."""
    for name in [each for each in os.environ if each.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    loaded = loaded_after(
        f"import os; os.chdir({str(tmp_path)!r})\nfrom retailops.cli.app import execute\n"
        f"assert execute(['init', '--quiet']) == 0; execute({line.split()!r})"
    )
    assert loaded & CLOUD - {"python_terraform"} == wanted


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
