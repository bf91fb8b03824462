"""`retailops teardown` on aws, as a person and a scheduler see it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulator
from emulator.estate import Estate
from emulator.planting import PREFIX, Garden
from retailops.cli.app import execute

pytestmark = pytest.mark.slow  # each command line reads the descriptions of twenty services anew

Teardown = Callable[..., tuple[int, str, str]]


@pytest.fixture
def teardown(
    aws: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Teardown:
    """Run the command in a folder with a retail.yaml; there is no terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "retail.yaml").write_text("version: 1\ntarget: aws\n")

    def run(*words: str) -> tuple[int, str, str]:
        return (execute(["teardown", *words]), *capsys.readouterr())

    return run


OWN = {"retailops:project": "retail-demo", "retailops:environment": "dev"}


def test_orphans_are_left_with_prices_and_commands_until_they_are_gone(teardown: Teardown, aws: Emulator) -> None:
    planted = [plant for plant in Garden(aws).orphans() if plant.kind != "SageMaker endpoint"]
    planted.append(Garden(aws).target_group("forgotten", OWN))
    assert len({plant.kind for plant in planted}) == 12
    code, out, _ = teardown("--yes", "--json")
    document = json.loads(out)
    result = document["result"]
    assert code == document["error"]["code"] == 5
    assert "12 things are left, $115.76 a month" in document["error"]["what"]
    assert {(row["kind"], row["name"]) for row in result["left"]} == {(plant.kind, plant.name) for plant in planted}
    assert result["left_monthly_usd"] == pytest.approx(115.76)
    assert all(row["monthly_usd"] is not None and row["fix"].startswith("aws ") for row in result["left"])
    code, out, _ = teardown("--yes", "--quiet")
    assert code == 5
    table = [line for line in out.splitlines() if not line.startswith("  aws ")]
    assert max(map(len, table)) <= 80, out
    assert "NAT gateway" in out and "43.07" in out and "aws --region ap-southeast-1 ec2 delete-nat-gateway" in out
    for plant in planted:
        plant.pull()
    code, out, _ = teardown("--yes", "--json")
    assert code == 0 and json.loads(out)["result"]["left"] == []


def test_nothing_there_is_success(teardown: Teardown) -> None:
    code, out, _ = teardown("--json")
    assert code == 0 and json.loads(out)["result"] == {
        "removed": 0,
        "left": [],
        "left_monthly_usd": 0.0,
        "kept": [],
        "kept_monthly_usd": 0.0,
    }


def test_what_stands_is_asked_about_and_without_a_terminal_needs_yes(teardown: Teardown, aws: Emulator) -> None:
    Garden(aws).bucket(f"{PREFIX}-raw-{aws.account}")
    code, _, err = teardown()
    assert code == 2 and "--yes" in err
    assert aws.client("s3").list_buckets()["Buckets"]
    code, out, _ = teardown("--yes")
    assert code == 0 and "nothing is left" in out
    assert not aws.client("s3").list_buckets()["Buckets"]


def test_only_data_can_be_kept(teardown: Teardown) -> None:
    code, _, err = teardown("--keep", "models", "--yes")
    assert code == 2 and "only data can be kept" in err


def test_kept_data_is_told_with_its_price(teardown: Teardown, aws: Emulator) -> None:
    estate = Estate(aws)
    estate.lake()
    estate.write_state([])  # Terraform forgot it all, as it does when it is asked to
    code, out, _ = teardown("--keep", "data", "--yes", "--json")
    result: dict[str, Any] = json.loads(out)["result"]
    assert code == 0 and result["left"] == []
    assert result["kept_monthly_usd"] == 1.0
    assert {row["kind"] for row in result["kept"]} == {"S3 bucket", "KMS key", "KMS alias"}
