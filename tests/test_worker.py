"""The worker by its two command lines, as a laptop and as a container would start it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from retailops import worker
from retailops.progress import Silent
from retailops.retail import synth
from retailops.retail.dataset import Dataset
from retailops.retail.synth import SynthOptions

WORKER = [sys.executable, "-P", "-m", "retailops.worker"]


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small weeks of synthetic files."""
    folder = tmp_path_factory.mktemp("weeks")
    synth.write(folder, SynthOptions(baskets=200, weeks=2), Silent())
    return folder


def run(*arguments: str | Path) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, events, and standard error."""
    ended = subprocess.run([*WORKER, *map(str, arguments)], capture_output=True, text=True, input="", timeout=120)
    return ended.returncode, [json.loads(line) for line in ended.stdout.splitlines()], ended.stderr


def test_an_etl_by_job_file(weeks: Path, tmp_path: Path) -> None:
    order = tmp_path / "job.json"
    parameters = {"max_quarantined": 0.01, "memory_mb": 300, "threads": 1, "labelled": True}
    order.write_text(
        json.dumps({"inputs": {"source": str(weeks)}, "output": str(tmp_path / "out"), "parameters": parameters})
    )
    code, events, error = run("etl", "--job", order)
    assert (code, error) == (0, "")
    assert events
    assert {event["event"] for event in events} <= {"stage", "advance", "note"}
    dataset = Dataset.open(tmp_path / "out")
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["dataset"] == dataset.version
    assert result["rows"]["raw"] == dataset.rows["raw"] > 200


def test_an_etl_by_named_folders_as_in_a_container(weeks: Path, tmp_path: Path) -> None:
    (tmp_path / "parameters.json").write_text('{"threads": 1}')
    code, _, _ = run(
        "etl", "--input", f"source={weeks}", "--output", tmp_path / "out", "--parameters", tmp_path / "parameters.json"
    )
    assert code == 0
    assert Dataset.open(tmp_path / "out").rows["quarantined"] == 0


def test_an_error_is_one_event_and_the_exit_code(tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.touch()
    code, events, error = run("etl", "--input", f"source={empty}", "--output", tmp_path / "out")
    assert code == 2
    assert error == ""
    (told,) = [event for event in events if event["event"] == "error"]
    assert told["code"] == 2
    assert "empty.csv" in told["what"]
    assert told["fix"]
    assert not (tmp_path / "out" / "result.json").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["etl"], "needs --job FILE, or --output DIR"),
        (["etl", "--job", "nothing.json"], "isn't a file with one JSON object"),
        (["etl", "--input", "source=/nowhere/at/all", "--output", "out"], "'source' isn't there"),
    ],
)
def test_a_wrong_order_is_explained(
    arguments: Sequence[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, events, _ = run(*arguments)
    assert code == 2
    assert words in events[-1]["what"]


def test_importing_the_worker_loads_no_numbers_library() -> None:
    heavy = {"duckdb", "numpy", "pandas", "psutil", "sklearn"}
    code = f"import sys, retailops.worker; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_parts_of_an_input_are_joined_and_what_comes_out_is_put_where_it_is_taken_from(
    weeks: Path, tmp_path: Path
) -> None:
    one, *others = sorted(weeks.iterdir())
    (tmp_path / "others").mkdir()
    for each in others:
        (tmp_path / "others" / each.name).symlink_to(each)
    code, _, _ = run("etl", "--input", f"source={weeks}", "--output", tmp_path / "whole")
    assert code == 0
    inputs = ["--input", f"source={tmp_path / 'others'}", "--input", f"source/{one.name}={one}"]
    places = [f"--place={zone}={tmp_path / 'taken' / zone}" for zone in ("silver", "gold", "quarantine")]
    code, _, _ = run("etl", *inputs, "--output", tmp_path / "out", *places)
    assert code == 0
    assert Dataset.open(tmp_path / "out").version == Dataset.open(tmp_path / "whole").version
    for zone in ("silver", "gold"):
        names = [
            sorted(str(path.relative_to(folder)) for path in folder.rglob("*.parquet"))
            for folder in (tmp_path / "taken" / zone, tmp_path / "whole" / zone)
        ]
        assert names[0] == names[1] != []
        assert not list((tmp_path / "out" / zone).rglob("*.parquet"))


def test_a_failure_is_left_where_a_cloud_reads_it_and_fits(tmp_path: Path) -> None:
    empty = tmp_path / ("long" * 50 + ".csv")
    empty.touch()
    told = tmp_path / "output" / "failure"
    code, events, _ = run("etl", "--input", f"source={empty}", "--output", tmp_path / "out", "--failure", told)
    words = json.loads(told.read_text())
    assert (code, words["code"]) == (2, 2)
    assert events[-1]["what"].startswith(words["what"]) and len(told.read_text()) <= 1024


def test_a_trial_of_a_tuner_finds_its_arguments_among_its_hyperparameters(tmp_path: Path) -> None:
    arguments = ["tune", f"--input=ground={tmp_path}", "--output=/opt/ml/model", "--failure=/opt/ml/output/failure"]
    texts = {"worker": json.dumps(arguments), "max_depth": "5"}
    (tmp_path / "hyperparameters.json").write_text(json.dumps(texts))
    order = worker._order([f"--hyperparameters={tmp_path / 'hyperparameters.json'}", "train"])
    assert (order.kind, order.inputs, order.output) == ("tune", {"ground": tmp_path}, Path("/opt/ml/model"))
    assert order.parameters == {"hyperparameters": {"max_depth": "5"}}
    assert order.failure == Path("/opt/ml/output/failure")
