"""The words that scripts rely on: what --json holds for each command, over one whole life of a small project."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ALGORITHMS = ["decision_tree", "random_forest", "logistic_regression", "xgboost"]


def retailops(folder: Path, *words: str, code: int = 0) -> Any:
    """The document of one command line, run as a program of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "retailops", *words, "--json", "--quiet"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def shown(folder: Path, *words: str, columns: int = 80) -> str:
    """What a person sees of a command on a terminal, without the colours."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns)}
    child = subprocess.Popen(
        [sys.executable, "-m", "retailops", *words, "--quiet"],
        cwd=folder,
        stdout=theirs,
        stderr=theirs,
        env=environment,
    )
    os.close(theirs)
    text = b""
    while piece := _read(ours):
        text += piece
    os.close(ours)
    child.wait()
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text.decode()).replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other end is closed
        return b""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, synthetic_csvs: Path) -> Iterator[Path]:
    """A project whose `run` has been through; its document lies in run.json."""
    folder = tmp_path_factory.mktemp("project")
    retailops(folder, "init")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    file = folder / "retail.yaml"
    text = file.read_text().replace("port: 8080", f"port: {port}")
    file.write_text(re.sub(r"(?m)^(  input:)[^#\n]*", rf'\1 "{synthetic_csvs}"  ', text))
    try:
        (folder / "run.json").write_text(json.dumps(retailops(folder, "run")))
        yield folder
    finally:
        retailops(folder, "teardown", "--yes")
        assert not (folder / ".retailops").exists()


def test_run_goes_all_the_way_and_says_how_to_ask(project):
    document = json.loads((project / "run.json").read_text())
    assert document["ok"] is True
    assert document["target"] == "local"
    result = document["result"]
    assert [row["stage"] for row in result["stages"]] == ["infra", "etl", "features", "train", "register", "deploy"]
    assert all(row["ok"] for row in result["stages"])
    assert {"accuracy", "macro F1"} <= {gate["name"] for gate in result["gates"]}
    request = urllib.request.Request(
        f"{result['deploy']['endpoint']['url']}/predict",
        json.dumps(result["request"]).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert json.load(answer)["prediction"] in ("LA", "MM", "UM")


def test_a_second_run_skips_what_has_not_changed(project):
    stages = retailops(project, "run")["result"]["stages"]
    assert {row["stage"]: row["skipped"] for row in stages} | {"register": True, "deploy": True} == {
        row["stage"]: True for row in stages
    }


def test_etl_counts_add_up(project):
    result = retailops(project, "etl")["result"]
    rows = result["rows"]
    assert set(rows) == {"raw", "silver", "quarantined", "duplicates", "gold"}
    assert rows["raw"] == rows["silver"] + rows["quarantined"] + rows["duplicates"] > rows["gold"] == 6_000
    assert re.fullmatch("[0-9a-f]{16}", result["dataset"])


def test_features_are_published_and_can_be_shown(project, synthetic_csvs):
    listed = retailops(project, "features", "list")["result"]["groups"]
    assert {row["group"] for row in listed if row["live"]} == {"product", "store", "customer"}
    for row in listed:
        assert row["live"]["records"] == row["live"]["written"] + sum(row["live"]["rejected"].values())
    assert set(retailops(project, "status")["result"]["features"]) == {"product", "store", "customer"}
    with min(synthetic_csvs.glob("*.csv")).open(newline="") as file:
        first = next(csv.DictReader(file))
    shown = retailops(project, "features", "show", "product", first["PROD_CODE"])["result"]
    assert shown["features"]["category"] == first["PROD_CODE_10"]
    assert retailops(project, "features", "show", "product", "PRD-none", code=2)["error"]["code"] == 2


def test_a_question_is_answered_as_a_document_as_a_table_and_as_csv(project):
    result = retailops(project, "data", "query", "SELECT count(*) AS n, NULL AS none FROM gold")["result"]
    assert (result["columns"], result["rows"], result["cut"]) == (["n", "none"], [[6_000, None]], False)
    sql = "SELECT basket_id, label FROM gold ORDER BY 1"
    table = shown(project, "data", "query", sql, "--limit", "2")
    assert "there are more: --limit N" in table and re.search(r"994\d{12} +(LA|MM|UM|XX)", table)
    done = [sys.executable, "-m", "retailops", "data", "query", sql, "--limit", "2", "--csv", "--quiet"]
    lines = subprocess.run(done, cwd=project, capture_output=True, text=True).stdout.splitlines()
    assert lines[0] == "basket_id,label" and len(list(csv.reader(lines))) == 3


def test_train_gives_a_scorecard_for_each_algorithm(project):
    result = retailops(project, "train", "--algo", "all")["result"]
    assert sorted(result["scorecards"]) == sorted(ALGORITHMS)
    for card in result["scorecards"].values():
        assert set(card) >= {"accuracy", "macro_f1", "precision", "recall", "f1", "confusion", "pricing_error"}
        assert set(card["precision"]) == set(card["recall"]) == set(card["f1"]) == {"LA", "MM", "UM"}
        assert sum(map(sum, card["confusion"])) == card["baskets"]
    assert set(result["runs"]) == set(ALGORITHMS)


def test_register_and_models_tell_of_the_same_version(project):
    registered = retailops(project, "register")["result"]
    assert registered["version"] == 1
    assert all(gate["ok"] for gate in registered["gates"])
    (listed,) = retailops(project, "models", "list")["result"]["models"]
    assert (listed["version"], listed["run"], listed["live"]) == (1, registered["run"], True)
    one = retailops(project, "models", "show", "1")["result"]
    assert one["run"] == registered["run"]
    assert one["scorecard"]["accuracy"] == listed["accuracy"]
    runs = retailops(project, "models", "runs")["result"]["runs"]
    assert {run["run"]: run["version"] for run in runs if run["version"]} == {registered["run"]: 1}


def test_tune_tells_every_trial_and_the_run_that_came_of_it(project):
    result = retailops(project, "tune", "--algo", "decision_tree", "--trials", "4")["result"]
    assert {"algorithm", "metric", "trials", "best", "gain", "standard_error", "improved", "tuned", "folds"} <= set(
        result
    )
    assert [trial["trial"] for trial in result["trials"]] == [0, 1, 2, 3]
    for trial in result["trials"]:
        assert {"value", "parameters", "scores", "pruned", "seconds"} <= set(trial)
    assert Path(result["report"]).is_file()
    assert result["run"] in {run["run"] for run in retailops(project, "models", "runs")["result"]["runs"]}
    assert retailops(project, "tune", "--algo", "nothing", code=2)["error"]["code"] == 2
    assert "parameters" in shown(project, "tune", "--algo", "decision_tree", "--trials", "4")


def test_compare_sets_runs_side_by_side(project):
    runs = [run["run"] for run in retailops(project, "models", "runs")["result"]["runs"]]
    both = retailops(project, "models", "compare", runs[0][:6], runs[1])["result"]
    assert [row["run"] for row in both["runs"]] == runs[:2]
    assert both["same_data"] is True
    for row in both["runs"]:
        assert {"algorithm", "dataset", "tuned_by", "version", "approval", "parameters", "metrics", "gates"} <= set(row)
    assert "criterion" in both["differ"]
    assert len(retailops(project, "models", "compare")["result"]["runs"]) >= len(ALGORITHMS)
    assert "zzz" in retailops(project, "models", "compare", "zzz", code=2)["error"]["what"]


def test_a_rejected_version_is_not_deployed_until_it_is_approved(project):
    rejected = retailops(project, "models", "reject", "1", "--reason", "wrong weeks")["result"]
    assert (rejected["approval"], rejected["reason"], rejected["live"]) == ("rejected", "wrong weeks", True)
    refused = retailops(project, "deploy", code=4)
    assert "wrong weeks" in refused["error"]["what"] and refused["result"]["endpoint"] is None
    assert "isn't deployed" in shown(project, "deploy")
    assert retailops(project, "models", "list")["result"]["models"][0]["approval"] == "rejected"
    approved = retailops(project, "models", "approve", "1")["result"]
    one = retailops(project, "models", "show", "1")["result"]
    assert (one["approval"], one["decided_by"], one["decided_at"]) == (
        "approved",
        approved["decided_by"],
        approved["decided_at"],
    )
    assert retailops(project, "status")["result"]["endpoint"]["version"] == 1


def test_deploy_and_status_name_the_same_endpoint(project):
    deployed = retailops(project, "deploy", "--version", "1")["result"]["endpoint"]
    endpoint = retailops(project, "status")["result"]["endpoint"]
    assert (endpoint["url"], endpoint["version"]) == (deployed["url"], 1)
    assert endpoint["url"].startswith("http://127.0.0.1:")


def test_predict_writes_a_row_a_basket(project, synthetic_csvs):
    first = min(synthetic_csvs.glob("*.csv"))
    result = retailops(project, "predict", str(first), "--output", "out.csv")["result"]
    with (project / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "basket_id",
        "prediction",
        *(f"probability_{key}" for key in ("la", "mm", "um")),
        "coverage",
    ]
    assert len(rows) == result["baskets"] > 100
    assert {row["prediction"] for row in rows} == {"LA", "MM", "UM"}
    assert all(abs(sum(float(row[f"probability_{key}"]) for key in ("la", "mm", "um")) - 1) < 1e-4 for row in rows)


def test_monitor_reads_what_was_served(project):
    result = retailops(project, "monitor", "--output", "page.html")["result"]
    assert {"requests", "error_rate", "latency_ms", "mix", "coverage", "gates", "report"} <= set(result)
    assert "<html" in (project / "page.html").read_text().lower()


def test_logs_are_lines(project):
    lines = retailops(project, "logs", "--lines", "3")["result"]["lines"]
    assert 0 < len(lines) <= 3
    assert retailops(project, "logs", "--follow", code=2)["error"]["code"] == 2


def test_a_gate_that_fails_is_exit_4_with_the_numbers(project, monkeypatch):
    monkeypatch.setenv("RETAILOPS_GATES__ACCURACY", "0.99999")
    document = retailops(project, "register", code=4)
    assert document["ok"] is False
    assert "accuracy" in document["error"]["what"]
    assert document["result"]["version"] is None
    (missed,) = [gate for gate in document["result"]["gates"] if not gate["ok"]]
    assert missed["limit"] == 0.99999


def test_a_version_that_is_not_there_is_named(project):
    document = retailops(project, "deploy", "--version", "99", code=2)
    assert "99" in document["error"]["what"]


COMMANDS = [
    "run",
    "etl",
    "train",
    "register",
    "models list",
    "models show 1",
    "models runs",
    "models compare",
    "models approve 1",
    "tune --algo decision_tree --trials 4",
    "deploy",
    "status",
    "monitor",
    "features list",
]


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("line", COMMANDS)
def test_what_a_person_sees_fits_the_terminal(project, line, columns):
    text = shown(project, *line.split(), columns=columns)
    assert "Traceback" not in text
    assert "error:" not in text
    assert "…" not in text  # nothing was cut off
    tables = [row for row in text.splitlines() if "──" in row]
    assert all(len(row.rstrip()) <= columns for row in tables)


def test_numbers_stand_beside_their_gates(project):
    text = shown(project, "register")
    assert re.search(r"accuracy +0?\.\d+ +≥ 0\.75 +✔ pass", text)
