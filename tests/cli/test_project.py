"""init and config, as a person meets them first."""

from __future__ import annotations

import json
from pathlib import Path


def test_init_writes_a_file_that_is_valid(cli):
    done = cli("init", "--json")
    assert done.code == 0
    assert done.document["changes"] == [
        {
            "action": "create",
            "kind": "file",
            "name": "retail.yaml",
            "detail": "",
            "monthly_usd": 0.0,
            "priced": True,
            "fix": "",
        }
    ]
    assert cli("config", "validate").code == 0


def test_init_overwrites_nothing_unless_forced(cli):
    Path("retail.yaml").write_text("mine")
    done = cli("init")
    assert done.code == 2 and "--force" in done.err
    assert Path("retail.yaml").read_text() == "mine"
    assert cli("init", "--force", "--json").document["changes"][0]["action"] == "update"
    assert cli("config", "validate").code == 0


def test_init_where_nothing_can_be_written_is_explained(cli):
    done = cli("init", "--config", "no/such/folder/retail.yaml")
    assert done.code == 2 and "can't be written" in done.err


def test_without_a_file_every_command_says_init(cli):
    for command in ("config validate", "etl", "status", "run", "teardown"):
        done = cli(*command.split())
        assert done.code == 2 and "retailops init" in done.err, command


def test_every_mistake_is_told_at_once(cli):
    cli("init")
    text = Path("retail.yaml").read_text().replace("accuracy:", "acuracy:").replace("port: 8080", "port: eighty")
    Path("retail.yaml").write_text(text)
    done = cli("config", "validate", "--json")
    assert done.code == 2
    what = done.document["error"]["what"]
    assert "acuracy" in what and "accuracy" in what and "deploy.port" in what
    assert done.document["target"] is None


def test_show_tells_where_each_value_comes_from(cli, monkeypatch):
    cli("init")
    monkeypatch.setenv("RETAILOPS_GATES__ACCURACY", "0.9")
    settings = cli("config", "show", "--json").document["result"]["settings"]
    assert settings["gates.accuracy"] == {"value": 0.9, "origin": "env RETAILOPS_GATES__ACCURACY"}
    shown = cli("config", "show").out
    assert "RETAILOPS_GATES__ACCURACY" in shown
    table = [line for line in shown.splitlines() if not line.endswith("/retail.yaml")]  # a path is as long as it is
    assert max(map(len, table)) <= 80


def test_schema_is_json_on_its_own(cli):
    assert json.loads(cli("config", "schema").out) == cli("config", "schema", "--json").document["result"]
