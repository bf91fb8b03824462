"""Help: every command has some, in the order of the story, with the same global flags."""

from __future__ import annotations

import pytest
import typer

from retailops.cli.app import ORDER, build
from retailops.cli.flags import NAMES
from retailops.cli.reference import commands


def test_the_first_page_lists_every_command(cli):
    done = cli("--help")
    assert done.code == 0
    for name in typer.main.get_command(build()).commands:
        assert f"\n  {name} " in done.out


def test_no_command_is_missing_from_the_order_of_help():
    assert sorted(typer.main.get_command(build()).commands) == sorted(ORDER)


def test_without_a_command_help_is_shown(cli):
    assert cli().out == cli("--help").out


def test_help_fits_eighty_columns(cli):
    for path, _ in commands():
        assert max(map(len, cli(*path.split(), "--help").out.splitlines())) <= 80, path


@pytest.mark.parametrize("path", [path for path, _ in commands()])
def test_a_command_has_help_and_the_global_flags(cli, path):
    done = cli(*path.split(), "--help")
    assert done.code == 0
    assert done.out.startswith(f"Usage: retailops {path} ")
    for name in NAMES:
        assert f"--{name}" in done.out
    assert done.out == cli(*path.split(), "-h").out


def test_version(cli):
    import retailops

    assert cli("--version").out == f"retailops {retailops.__version__}\n"
    assert cli("--json", "--version").document["result"] == {"version": retailops.__version__}


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("retailops mod", "models"),
        ("retailops models ", "runs"),
        ("retailops train --al", "--algo"),
        ("retailops train --js", "--json"),
    ],
)
def test_completion_knows_commands_and_flags(cli, monkeypatch, capsys, typed, offered):
    monkeypatch.setenv("_RETAILOPS_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split(" ")) - 1))
    with pytest.raises(SystemExit):
        cli()
    assert offered in capsys.readouterr().out.split()
