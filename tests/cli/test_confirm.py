"""Questions: destructive commands have the project's name typed, and never ask where nobody can answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from retailops.cli.call import Call
from retailops.cli.flags import Flags
from retailops.config import Config
from retailops.errors import GateFailed, Interrupted, UsageError
from retailops.ports import AS_IT_STANDS, Change, CostLine, Estimate, Terms
from retailops.progress import Progress

GONE = [Change("delete", "folder", ".retailops/lake", "3 files"), Change("delete", "process", "server 1234")]
PLAN = [Change("create", "eks_cluster", "shop"), Change("replace", "nat_gateway", "shop-a")]


class Rented:
    """A target of which only a plan and a price are asked."""

    def __init__(self, config: Config, monthly_usd: float) -> None:
        self.config, self.infra, self.costs = config, self, self
        self.monthly_usd = monthly_usd

    def changes(self, terms: Terms, progress: Progress) -> list[Change]:
        return PLAN

    def estimates(self) -> list[Estimate]:
        line = CostLine(
            "infrastructure", "all of it", 1, "month", self.monthly_usd, self.monthly_usd, "a page", "today"
        )
        return [Estimate("always", (line,) if self.monthly_usd else ())]


@pytest.fixture
def rented(call) -> Callable[[float], Call]:
    def at(monthly_usd: float) -> Call:
        call.target = Rented(call.config, monthly_usd)
        return call

    return at


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
    cli("init")
    call = Call("teardown", Flags(yes=True))
    call.confirm_removal(GONE)
    call.target = Rented(call.config, 106.5)
    call.confirm_build(AS_IT_STANDS)


def test_nothing_to_remove_and_nothing_to_pay_are_no_questions(call, rented):
    call.confirm_removal([])
    rented(0).confirm_build(AS_IT_STANDS)


@pytest.mark.parametrize(("answer", "goes"), [("y\n", True), ("YES\n", True), ("\n", False), ("n\n", False)])
def test_what_costs_money_is_asked_for(rented, typed, capsys, answer, goes):
    typed(answer)
    if goes:
        rented(106.5).confirm_build(AS_IT_STANDS)
    else:
        with pytest.raises(UsageError, match="Nothing was done"):
            rented(106.5).confirm_build(AS_IT_STANDS)
    err = capsys.readouterr().err
    assert "$106.50 a month" in err
    assert "eks cluster" in err and "shop-a" in err, "what is replaced is named"


def test_what_costs_money_without_a_terminal_wants_yes(rented):
    with pytest.raises(UsageError) as caught:
        rented(106.5).confirm_build(AS_IT_STANDS)
    assert "--yes" in caught.value.fix


def test_what_is_over_the_budget_is_refused_before_a_question(rented):
    with pytest.raises(GateFailed, match="more than the budget"):
        rented(250.01).confirm_build(AS_IT_STANDS)


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
