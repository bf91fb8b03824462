"""infra, park, wake and run by the command line: what each target can, and what is refused before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest


def test_on_local_a_plan_names_the_folders_and_costs_nothing(cli):
    cli("init")
    planned = cli("infra", "plan", "--json").document
    assert {change["kind"] for change in planned["changes"]} == {"folder"}
    assert planned["result"]["created"] == len(planned["changes"])
    assert planned["result"]["monthly_usd"] == 0
    assert not Path(".retailops").exists(), "a plan makes nothing"


def test_on_local_status_tells_what_stands(cli):
    cli("init")
    assert cli("infra", "status", "--json").document["result"]["resources"] == 0
    assert "Nothing stands" in cli("infra", "status").out
    cli("infra", "up")
    stands = cli("infra", "status", "--json").document["result"]
    assert stands["resources"] > 1
    assert (stands["parked"], stands["expires"], stands["drift"]) == (False, None, [])
    assert "nobody holds a lock" in cli("infra", "unlock", "--yes").out


@pytest.mark.parametrize(
    "line", ["park --yes", "wake", "infra up --expires 8h", "infra plan --expires 8h", "teardown --yes --keep data"]
)
def test_what_local_has_no_use_for_says_which_target_has(cli, line):
    cli("init")
    refused = cli(*line.split(), "--json")
    assert refused.code == 6
    assert "local" in refused.document["error"]["what"]


@pytest.mark.parametrize("duration", ["8", "0h", "8 hours", "-1d", "99999h"])
def test_a_duration_that_is_none_is_refused_with_an_example(cli, duration):
    cli("init")
    refused = cli("infra", "up", f"--expires={duration}", "--json")
    assert refused.code == 2
    assert "8h" in refused.document["error"]["fix"]


def test_what_aws_has_not_yet_is_refused_without_a_call(cli, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # whoever calls gets no answer
    cli("init")
    refused = cli("monitor", "--target", "aws", "--json")
    assert refused.code == 6, refused.out
    assert "--target local" in refused.document["error"]["fix"]


def test_what_is_over_the_budget_is_refused_before_aws_is_asked(cli, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("RETAILOPS_COST__MONTHLY_BUDGET_USD", "100")
    cli("init")
    refused = cli("infra", "up", "--target", "aws", "--yes", "--json")
    assert refused.code == 4
    assert "--allow-over-budget" in refused.document["error"]["fix"]


def test_building_on_aws_without_a_terminal_wants_yes(cli, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    cli("init")
    refused = cli("infra", "up", "--target", "aws", "--json")
    assert refused.code == 2
    assert "--yes" in refused.document["error"]["fix"]
