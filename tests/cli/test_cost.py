"""cost: the promised keys and exit codes, and a table that a person reads at 80 columns."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
PARTS = ["infrastructure", "data", "training", "serving", "logs"]
OFFLINE = """
import socket, sys

def no_network(*arguments, **options):
    raise AssertionError("the network was used")

socket.create_connection = socket.socket.connect = no_network
sys.modules["boto3"] = sys.modules["botocore"] = None
from retailops.cli.app import execute
sys.exit(execute(["cost", "--json", "--quiet"]))
"""


@pytest.fixture
def on_aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A retail.yaml for aws, with a Kubernetes that is in standard support on whatever day this runs."""
    monkeypatch.setenv("RETAILOPS_AWS__KUBERNETES", "1.99")

    def write(text: str = "") -> None:
        (tmp_path / "retail.yaml").write_text(f"version: 1\ntarget: aws\n{text}")

    return write


def test_the_document_holds_every_line_and_every_scenario(cli: Cli, on_aws: Callable[[str], None]) -> None:
    on_aws()
    done = cli("cost", "--json")
    assert done.code == 0
    result = done.document["result"]
    assert set(result) == {
        "monthly_usd", "scenario", "budget_usd", "lines", "scenarios", "advice", "prices_dated",
    }  # fmt: skip
    assert (result["monthly_usd"], result["scenario"], result["budget_usd"]) == (218.53, "always", 250)
    assert result["scenarios"] == {"always": 218.53, "working-hours": 116.01, "parked": 78.66}
    assert list(dict.fromkeys(line["part"] for line in result["lines"])) == PARTS
    assert round(sum(line["monthly_usd"] for line in result["lines"]), 2) == result["monthly_usd"]
    assert set(result["lines"][0]) >= {"name", "quantity", "unit", "unit_usd", "source", "dated", "certainty"}
    assert result["prices_dated"] == {"oldest": "2025-01-01", "newest": "2026-08-21"}
    assert [set(each) for each in result["advice"]] == [{"subject", "choice", "reason", "monthly_usd"}] * 2


@pytest.mark.parametrize(
    ("words", "text", "code"),
    [
        ([], "cost: {monthly_budget_usd: 218.52}", 4),
        ([], "cost: {monthly_budget_usd: 218.53}", 0),
        (["--allow-over-budget"], "cost: {monthly_budget_usd: 100}", 0),
        (["--scenario", "parked"], "cost: {monthly_budget_usd: 100}", 0),
        ([], "cost: {monthly_budget_usd: 100, scenario: parked}", 0),
        (["--scenario", "always"], "cost: {monthly_budget_usd: 100, scenario: parked}", 4),
        (["--scenario", "sometimes"], "", 2),
        ([], "aws: {region: ap-south-2}", 2),
        ([], "aws: {nodes: {types: [x9.large]}}", 2),
    ],
)
def test_over_the_budget_is_refused_unless_allowed(
    cli: Cli, on_aws: Callable[[str], None], words: list[str], text: str, code: int
) -> None:
    on_aws(text)
    done = cli("cost", "--json", *words)
    assert done.code == code
    assert done.document["ok"] is (code == 0)
    if code == 4:  # the lines are there all the same
        assert done.document["result"]["lines"]
        assert "is more than the budget of" in done.document["error"]["what"]


def test_a_person_reads_it_at_80_columns(
    cli: Cli, on_aws: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    on_aws(
        "cost: {monthly_budget_usd: 200}\naws: {zones: 3, nat: per-az, endpoints: 'on', nodes: {types: [t3a.xlarge]}}"
    )
    done = cli("cost")
    assert done.code == 4
    assert max(map(len, done.out.splitlines())) <= 80
    assert all(part in done.out for part in PARTS)
    assert "✘ OVER" in done.out and "✔ within" in done.out
    assert "~ typical: spot prices move. ? not compared with AWS's page." in " ".join(done.out.split())
    assert "0.0904~" in done.out and "0.1?" in done.out
    assert "List prices as read from 2025-01-01 to 2026-08-21" in done.out
    assert "error: $" in done.err and "--allow-over-budget" in done.err


def test_locally_nothing_is_rented(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "retail.yaml").write_text("version: 1\n")
    done = cli("cost")
    assert (done.code, done.out) == (0, "$0.00 a month  always\n  Nothing is rented.\n")
    result = cli("cost", "--json", "--scenario", "parked").document["result"]
    assert (result["monthly_usd"], result["lines"], result["prices_dated"]) == (0, [], None)
    assert cli("cost", "--live").code == 6


def test_neither_network_nor_credentials_nor_sdk_is_needed(tmp_path: Path, on_aws: Callable[[str], None]) -> None:
    on_aws()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"monthly_usd": 218.53' in done.stdout
