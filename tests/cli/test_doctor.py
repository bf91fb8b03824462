"""`retailops doctor` as a script and a person meet it."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest

AWS = 'target: aws\naws: {account: "210987654321"}\n'


@pytest.mark.slow
def test_a_machine_that_is_ready_ends_well(cli, tmp_path: Path, free_port: int) -> None:
    (tmp_path / "retail.yaml").write_text(f"deploy: {{port: {free_port}}}\n")
    done = cli("doctor", "--json", "--quiet")
    assert done.code == 0, done.out
    result = done.document["result"]
    assert (done.document["target"], result["failed"]) == ("local", 0)
    assert result["warnings"] == sum(each["state"] == "warning" for each in result["findings"])
    assert all(set(each) == {"check", "state", "what", "fix"} for each in result["findings"])
    libraries = next(each for each in result["findings"] if each["check"] == "libraries")
    assert libraries["state"] == "ok" and re.match(r"\d\d, in wanted versions, all load", libraries["what"])


@pytest.mark.slow
def test_a_machine_that_is_not_ready_ends_with_3_and_shows_the_fix(cli, tmp_path: Path, free_port: int) -> None:
    (tmp_path / "retail.yaml").write_text(f"data: {{input: nowhere.csv}}\ndeploy: {{port: {free_port}}}\n")
    done = cli("doctor")
    assert done.code == 3
    assert "✘ FAILED" in done.out and "nowhere.csv isn't there" in done.out.replace("\n", "")
    assert "→ Correct data.input in retail.yaml." in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    assert "Not ready: input." in done.err
    assert "failed: input" in done.err  # each finding as it comes


def test_the_policy_is_printed_alone_and_without_credentials(cli, tmp_path: Path) -> None:
    (tmp_path / "retail.yaml").write_text(AWS)
    done = cli("doctor", "--policy")
    assert (done.code, done.err) == (0, "")
    documents = json.loads(done.out)
    assert {"network", "cluster", "roles", "storage", "data"} <= set(documents)
    assert all(set(each) == {"Version", "Statement"} for each in documents.values())


def test_one_area_of_the_policy_is_a_document_that_iam_takes(cli, tmp_path: Path) -> None:
    (tmp_path / "retail.yaml").write_text(AWS)
    done = cli("doctor", "--policy", "--area", "cluster")
    document = json.loads(done.out)
    assert document["Version"] == "2012-10-17"
    assert len(json.dumps(document, separators=(",", ":"))) <= 6144


def test_an_area_that_there_is_not_names_those_that_there_are(cli, tmp_path: Path) -> None:
    (tmp_path / "retail.yaml").write_text(AWS)
    done = cli("doctor", "--policy", "--area", "kitchen")
    assert done.code == 2 and "kitchen" in done.err and "network" in done.err


def test_an_area_without_policy_is_a_slip(cli, tmp_path: Path) -> None:
    (tmp_path / "retail.yaml").write_text(AWS)
    done = cli("doctor", "--area", "cluster")
    assert done.code == 2 and "--policy" in done.err


def test_local_has_no_policy(cli, tmp_path: Path) -> None:
    (tmp_path / "retail.yaml").write_text("target: local\n")
    done = cli("doctor", "--policy", "--json")
    assert done.code == 6
    assert "--target aws" in done.document["error"]["fix"]


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port
