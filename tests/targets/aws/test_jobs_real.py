"""The real rows on SageMaker's machines and on a laptop: the same dataset, scorecard, bundle and predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emulator import Executor, grounds
from retailops import config as configuration
from retailops import targets
from retailops.lifecycle import etl, predict, register, train
from retailops.progress import Silent
from retailops.retail import algorithms
from retailops.targets.aws.jobs import AwsJobs, Patience

pytestmark = [pytest.mark.slow, pytest.mark.real]
QUIET = Silent()


def life(folder: Path, target: str, rows: Path) -> tuple[Any, ...]:
    """All that must be the same wherever it ran, the last being predictions for the newest week."""
    (folder / "retail.yaml").write_text(f"version: 1\ntarget: {target}\ntrain: {{algorithms: [xgboost]}}\n")
    found = configuration.load(
        folder / "retail.yaml", targets=targets.settings(), algorithms=algorithms.NAMES, environ={}
    )
    opened = targets.open_target(found)
    if isinstance(opened.jobs, AwsJobs):
        opened.jobs._patience = Patience(look=0.2)
    made = etl.etl(opened, rows, QUIET).result
    trained = train.train(opened, None, QUIET).result
    version = register.register(opened, None, QUIET).result["version"]
    scored = folder / f"{target}.csv"
    predict.predict(opened, max(rows.glob("transactions_*.csv")), scored, version, QUIET)
    return made["dataset"], made["rows"], trained["runs"], trained["scorecards"], version, scored.read_bytes()


def test_the_real_rows_give_the_same_to_the_byte(tmp_path: Path, real_csv_folder: Path, machines: Executor) -> None:
    grounds.store(machines.aws)
    here, there = (life(tmp_path, target, real_csv_folder) for target in ("local", "aws"))
    assert here == there
    assert len(machines.runs) == 4, "an ETL and a scoring need a dataset each"
    assert here[1]["raw"] > 2_000_000
