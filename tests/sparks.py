"""The job of the Spark ETL, really run: by pyspark, in an environment of its own that `make spark` makes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from retailops import files
from retailops.retail import blocks, sources
from retailops.retail.etl import EtlOptions
from retailops.retail.spark import order

ROOT = Path(__file__).parents[1]


def python() -> Path:
    """The Python that has pyspark; without one, or without Java, the test is skipped and says so."""
    found = Path(os.environ.get("RETAILOPS_SPARK") or ROOT / ".venv" / "spark" / "bin" / "python")
    if not found.exists():
        pytest.skip(
            "pyspark isn't there, so the ETL on Spark wasn't run; `make spark` makes it (RETAILOPS_SPARK names one)"
        )
    if shutil.which("java") is None:
        pytest.skip(
            "Java isn't on the PATH, so the ETL on Spark wasn't run; Debian: apt install openjdk-17-jre-headless"
        )
    return found


def submit(script: Path, arguments: list[str], scratch: Path) -> subprocess.CompletedProcess[str]:
    """Run a script as a cluster of one machine with two cores does."""
    settings = {
        "spark.driver.memory": "3g",
        "spark.sql.shuffle.partitions": "4",
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.local.dir": str(scratch),
        "spark.log.level": "ERROR",
    }
    program = python().with_name("spark-submit")
    told = [part for name, value in settings.items() for part in ("--conf", f"{name}={value}")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SPARK_"))}
    environment |= {"PYSPARK_PYTHON": str(python()), "SPARK_LOCAL_IP": "127.0.0.1"}
    command = [str(program), "--master", "local[2]", *told, str(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=scratch)


def etl(source: Path, output: Path, options: EtlOptions) -> tuple[Path, Any]:
    """The dataset folder that Spark makes of `source`, and the problem that it told instead."""
    scratch = output.with_name(f"{output.name}.scratch")
    scratch.mkdir(parents=True)
    script = scratch / "etl.py"
    script.write_bytes(order.script())
    done = submit(script, ["--JOB_NAME", "etl", "--order", str(_order(source, output, options, scratch))], scratch)
    problem = files.read_json(output / "problem.json")
    assert (done.returncode != 0) == bool(problem), done.stdout[-3000:] + done.stderr[-6000:]
    shutil.rmtree(scratch)
    return output, problem


def refusals(wanted: Mapping[str, tuple[Path, EtlOptions]], output: Path) -> dict[str, Any]:
    """The problems that Spark tells of several inputs: one start for all, since a start takes longer than the work."""
    output.mkdir()
    (output / "etl.py").write_bytes(order.script())
    (output / "all.py").write_text(_ALL)
    orders = [_order(source, output / name, options, output) for name, (source, options) in wanted.items()]
    done = submit(output / "all.py", [str(each) for each in orders], output)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return {name: files.read_json(output / name / "problem.json") for name in wanted}


_ALL = """import sys

import etl

for order in sys.argv[1:]:
    try:
        etl.main(["--order", order])
    except etl.Refused:
        continue
    sys.exit(f"not refused: {order}")
"""


def _order(source: Path, output: Path, options: EtlOptions, folder: Path) -> Path:
    found = sources.discover(source)
    folders = {name: str(output if name == "output" else output / name) for name in order.FOLDERS}
    places = {file.name: str(file.path) for file in found}
    digests = {file.name: blocks.digest(file) for file in found}
    path = folder / f"order-{output.name}.json"
    path.write_text(json.dumps(order.order(found, places, digests, folders, options, labelled=True)))
    return path
