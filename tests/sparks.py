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

from retailops.progress import Silent
from retailops.retail import blocks, sources
from retailops.retail.etl import EtlOptions
from retailops.retail.spark import order

ROOT = Path(__file__).parents[1]


def python() -> Path:
    """The Python that has pyspark; without one, or without Java, the test is skipped and says so."""
    found = Path(os.environ.get("RETAILOPS_SPARK") or ROOT / ".venv" / "spark" / "bin" / "python")
    if not found.exists():
        pytest.skip("pyspark isn't there, so the ETL on Spark wasn't run; `make spark` makes it (RETAILOPS_SPARK names one)")
    if shutil.which("java") is None:
        pytest.skip("Java isn't on the PATH, so the ETL on Spark wasn't run; Debian: apt install openjdk-17-jre-headless")
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


def etl(
    source: Path, output: Path, options: EtlOptions, *, labelled: bool = True
) -> tuple[Path, Mapping[str, Any] | None]:
    """The dataset folder that Spark makes of `source`, and its problem if it told one."""
    files = sources.discover(source, labelled=labelled)
    folders = {name: str(output / ("." if name == "output" else name)).rstrip("/.") for name in order.FOLDERS}
    wanted = order.order(
        files,
        {file.name: str(file.path) for file in files},
        {file.name: blocks.digest(file) for file in files},
        folders,
        options,
        labelled=labelled,
    )
    output.mkdir(parents=True)
    scratch = output.with_name(f"{output.name}.scratch")
    scratch.mkdir()
    (scratch / "order.json").write_text(json.dumps(wanted))
    script = scratch / "etl.py"
    script.write_bytes(order.script())
    done = submit(script, ["--JOB_NAME", "etl", "--order", str(scratch / "order.json")], scratch)
    problem = output / "problem.json"
    if problem.exists():
        assert done.returncode != 0
        return output, json.loads(problem.read_text())
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    shutil.rmtree(scratch)
    return output, None
