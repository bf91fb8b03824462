"""The wheel is all that a user needs: built, installed into an empty environment, run in an empty folder."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tomllib
import urllib.request
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What a user's shell wouldn't have: this environment, and settings of this run.
FOREIGN = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "RETAILOPS_CONFIG")


def run(*words: str | Path, cwd: Path) -> str:
    """stdout of a program that must succeed."""
    environment = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    done = subprocess.run([str(word) for word in words], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, words))}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def test_every_package_and_its_data_is_named_in_pyproject():
    named = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {
        ".".join(path.parent.relative_to(ROOT / "src").parts)
        for path in (ROOT / "src" / "retailops").rglob("__init__.py")
    }
    assert named == found | {"retailops.templates"}


def test_constraints_are_names_and_versions_only():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines)
    assert len(pinned) == len(lines) > 60
    assert lines == sorted(lines, key=str.upper)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [each for extra in project["optional-dependencies"].values() for each in extra]
    wanted = [*project["dependencies"], *(each for each in extras if not each.startswith("retailops["))]
    names = {name.lower().replace("_", "-") for name in pinned}
    for requirement in wanted:
        name = requirement.split("[")[0].split(">")[0].split("<")[0].split(";")[0].split("=")[0].strip()
        assert name in names, name


def pip_install(python: Path, what: str | Path, cwd: Path) -> None:
    """As a user does: plain pip, with our constraints."""
    constraints = ROOT / "constraints.txt"
    run(python, "-m", "pip", "--disable-pip-version-check", "install", "-q", "-c", constraints, what, cwd=cwd)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program `retailops` of an environment that holds the wheel and what it asks for."""
    place = tmp_path_factory.mktemp("packaging")
    source = place / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    for name in ("src", "templates"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    run(sys.executable, "-m", "build", "--wheel", "--outdir", place, source, cwd=place)
    (wheel,) = place.glob("*.whl")
    shutil.rmtree(source)
    venv.create(place / "venv", with_pip=True)
    python = place / "venv" / "bin" / "python"
    pip_install(python, wheel, place)
    return python.with_name("retailops")


KEY = "from retailops.images.recipe import Recipe; print(Recipe(None, 'python:3.11', 'sha256:a').key)"


@pytest.mark.slow
def test_an_image_built_from_an_installed_wheel_is_the_one_built_from_a_checkout(installed, tmp_path):
    """The key is a hash of all that goes into it, our own files included."""
    keys = [run(python, "-P", "-c", KEY, cwd=tmp_path) for python in (installed.with_name("python"), sys.executable)]
    assert keys[0] == keys[1]


@pytest.mark.slow
def test_the_installed_wheel_goes_all_the_way_in_an_empty_folder(installed, tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        monkeypatch.setenv("RETAILOPS_DEPLOY__PORT", str(free.getsockname()[1]))
    assert "wrote" in run(installed, "init", cwd=tmp_path).lower()
    assert "local" in run(installed, "config", "validate", cwd=tmp_path)
    try:
        done = json.loads(run(installed, "run", "--json", "--quiet", cwd=tmp_path))
        with urllib.request.urlopen(f"{done['result']['deploy']['endpoint']['url']}/readyz", timeout=10) as answer:
            assert answer.status == 200
    finally:
        run(installed, "teardown", "--yes", "--quiet", cwd=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"retail.yaml"}


@pytest.mark.slow
def test_the_installed_wheel_takes_files_of_ones_own(installed, tmp_path):
    run(installed, "init", cwd=tmp_path)
    run(installed, "data", "synth", "--output", "rows", "--baskets", "200", "--weeks", "2", "--quiet", cwd=tmp_path)
    assert len(list((tmp_path / "rows").glob("transactions_*.csv"))) == 2
    assert "gold" in run(installed, "etl", "--input", "rows", "--quiet", cwd=tmp_path)
    run(installed, "teardown", "--yes", "--quiet", cwd=tmp_path)
    assert not (tmp_path / ".retailops").exists()


@pytest.mark.slow
def test_every_library_is_what_the_constraints_say(installed, tmp_path):
    python = installed.with_name("python")
    listed = json.loads(run(python, "-m", "pip", "list", "--format=json", cwd=tmp_path))
    versions = {each["name"].lower().replace("_", "-"): each["version"] for each in listed}
    pinned = dict(line.lower().replace("_", "-").split("==") for line in (ROOT / "constraints.txt").read_text().split())
    free = {"pip", "setuptools", "retailops"}
    assert {name: pinned.get(name) for name in versions.keys() - free} == {
        name: version for name, version in versions.items() if name not in free
    }
    assert {"optuna", "duckdb", "onnx"} <= versions.keys() and "boto3" not in versions


@pytest.mark.slow
def test_the_extra_of_aws_installs_and_its_libraries_load(installed, tmp_path):
    python = installed.with_name("python")
    run(installed, "init", cwd=tmp_path)
    without = subprocess.run(
        [installed, "infra", "plan", "--target", "aws", "--json"], cwd=tmp_path, capture_output=True, text=True
    )
    assert without.returncode == 3 and "pip install 'retailops[aws]'" in json.loads(without.stdout)["error"]["fix"]
    (wheel,) = installed.parents[2].glob("*.whl")
    pip_install(python, f"{wheel}[aws]", tmp_path)
    run(python, "-m", "pip", "check", cwd=tmp_path)
    run(python, "-c", "import boto3, kubernetes, optuna, python_terraform", cwd=tmp_path)
    told = json.loads(run(installed, "cost", "--target", "aws", "--json", cwd=tmp_path))
    assert told["target"] == "aws" and told["result"]["monthly_usd"] > 0
