"""Questions: destructive commands have the project's name typed, and never ask where nobody can answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from retailops.cli.call import Call
from retailops.cli.flags import Flags
from retailops.errors import Interrupted, UsageError
from retailops.ports import Change

GONE = [Change("delete", "folder", ".retailops/lake", "3 files"), Change("delete", "process", "server 1234")]
FREE = [Change("create", "folder", ".retailops")]
DEAR = [Change("create", "cluster", "eks", monthly_usd=73.0), Change("create", "nat", "a", monthly_usd=33.5)]


@pytest.fixture
def call(cli) -> Call:
    cli("init")
    return Call("teardown", Flags())


def test_removal_goes_on_when_the_name_is_typed(call, typed, capsys):
    typed("retail-demo\n")
    call.confirm_removal(GONE)
    err = capsys.readouterr().err
    assert ".retailops/lake" in err and "server 1234" in err
    assert "Type the project's name (retail-demo)" in err


def test_removal_stops_at_another_name(call, typed):
    typed("retail\n")
    with pytest.raises(UsageError, match="Nothing was removed"):
        call.confirm_removal(GONE)


def test_removal_stops_when_the_person_leaves(call, typed):
    typed("")
    with pytest.raises(Interrupted):
        call.confirm_removal(GONE)


def test_removal_without_a_terminal_wants_yes(call, capsys):
    with pytest.raises(UsageError) as caught:
        call.confirm_removal(GONE)
    assert "--yes" in caught.value.fix
    assert ".retailops/lake" in capsys.readouterr().err


def test_yes_answers_every_question(cli):
    call = Call("teardown", Flags(yes=True))
    call.confirm_removal(GONE)
    call.confirm_cost(DEAR)


def test_nothing_to_remove_and_nothing_to_pay_are_no_questions(call):
    call.confirm_removal([])
    call.confirm_cost([])
    call.confirm_cost(FREE)


@pytest.mark.parametrize(("answer", "goes"), [("y\n", True), ("YES\n", True), ("\n", False), ("n\n", False)])
def test_what_costs_money_is_asked_for(call, typed, capsys, answer, goes):
    typed(answer)
    if goes:
        call.confirm_cost(DEAR)
    else:
        with pytest.raises(UsageError, match="Nothing was done"):
            call.confirm_cost(DEAR)
    assert "$106.50 a month" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["teardown", "infra down"])
def test_the_commands_that_remove_ask(cli, command):
    cli("init")
    assert cli("infra", "up").code == 0
    assert Path(".retailops").is_dir()
    refused = cli(*command.split())
    assert refused.code == 2 and "--yes" in refused.err
    assert Path(".retailops").is_dir()
    done = cli(*command.split(), "--yes", "--json")
    assert done.code == 0 and done.document["changes"]
    assert not Path(".retailops").exists()
    assert cli(*command.split()).code == 0  # nothing is there: nothing to ask
