"""Global flags mean the same before the command, after it, and in the middle of a group."""

from __future__ import annotations

from pathlib import Path

import pytest

from retailops.cli.flags import Flags


@pytest.mark.parametrize("line", ["--json config show", "config --json show", "config show --json"])
def test_json_may_stand_anywhere(cli, line):
    cli("init")
    assert cli(*line.split()).document["ok"] is True


@pytest.mark.parametrize(
    "line", ["--config other.yaml config show", "config --config other.yaml show", "config show --config other.yaml"]
)
def test_config_may_stand_anywhere(cli, line):
    cli("init", "--config", "other.yaml")
    assert cli(*line.split(), "--json").document["result"]["path"] == str(Path.cwd() / "other.yaml")


def test_of_two_files_the_later_one_wins(cli):
    cli("init", "--config", "b.yaml")
    assert cli("--config", "a.yaml", "config", "validate", "--config", "b.yaml").code == 0


def test_the_environment_names_the_file_unless_a_flag_does(cli, monkeypatch):
    cli("init", "--config", "named.yaml")
    monkeypatch.setenv("RETAILOPS_CONFIG", "named.yaml")
    assert cli("config", "validate").code == 0
    assert cli("config", "validate", "--config", "missing.yaml").code == 2
    monkeypatch.setenv("RETAILOPS_CONFIG", "missing.yaml")
    assert cli("config", "validate", "--config", "named.yaml").code == 0
    assert cli("--config", "named.yaml", "config", "validate").code == 0


def test_the_target_flag_overrides_the_file(cli):
    cli("init")
    done = cli("config", "show", "--target", "local", "--json").document
    assert done["target"] == "local"
    assert done["result"]["settings"]["target"]["origin"] == "--target"
    assert "moon" in cli("config", "show", "--target", "moon").err


def test_flags_add_up():
    inner = Flags(yes=True, target="b")
    assert inner.inside(Flags(json=True, target="a", config=Path("x"))) == Flags(
        json=True, yes=True, target="b", config=Path("x")
    )
