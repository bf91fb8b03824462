"""Views of cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from retailops.cli.views.layout import DASH, number, show, table, title, verdict

Result = Mapping[str, Any]
MARKS = {"read": " ", "typical": "~", "unconfirmed": "?"}  # behind a unit price
MEANINGS = {"typical": "~ typical: spot prices move.", "unconfirmed": "? not compared with AWS's page."}
UNTAGGED = (
    "Nothing is billed under this project's tags. Billing knows a tag only about a day after it was activated there "
    "as a cost allocation tag: retailops:project and retailops:environment."
)


def bill(console: Console, result: Result) -> None:
    """Every line with its part's subtotal, the scenarios against the budget, what to choose, and how sure it is."""
    title(console, f"{_usd(result['monthly_usd'])} a month", result["scenario"])
    if not result["lines"]:
        console.print("  Nothing is rented.")
        return
    show(console, _line_table(result["lines"]))
    _paragraphs(console, _assumptions(result["lines"]), "dim")
    show(console, _scenario_table(result))
    _paragraphs(console, (f"{each['subject']}: {each['choice']}. {each['reason']}" for each in result["advice"]))
    if "live" in result:
        show(console, _live_table(result["live"], result["budget_usd"]))
        if not result["live"]["by_service"]:
            _paragraphs(console, [UNTAGGED])
    _paragraphs(console, [_sureness(result)], "dim")


def _line_table(lines: Sequence[Result]) -> Table:
    made = table("", "quantity", "unit $", "$/month", numbers=["quantity", "unit $", "$/month"])
    for part, group in groupby(lines, lambda line: line["part"]):
        members = list(group)
        subtotal = sum(line["monthly_usd"] for line in members)
        made.add_row(Text(part, style="bold"), "", "", Text(f"{subtotal:,.2f}", style="bold"))
        for line in members:
            made.add_row(
                f"  {line['name']}",
                f"{number(line['quantity'])} {line['unit']}",
                f"{line['unit_usd']:g}{MARKS[line['certainty']]}",
                f"{line['monthly_usd']:,.2f}",
            )
    return made


def _assumptions(lines: Iterable[Result]) -> Iterable[str]:
    return (f"{line['name']}: {line['detail']}" for line in lines if line["detail"])


def _scenario_table(result: Result) -> Table:
    budget = result["budget_usd"]
    made = table("scenario", "$/month", "budget", "", numbers=["$/month", "budget"])
    for name, usd in result["scenarios"].items():
        shown = Text(name, style="bold" if name == result["scenario"] else "")
        made.add_row(shown, f"{usd:,.2f}", f"≤ {budget:,.2f}", verdict(usd <= budget, "within", "OVER"))
    return made


def _live_table(live: Result, budget: float) -> Table:
    """What was billed, service by service; the forecast is of the whole month."""
    made = table(f"billed since {live['since']}", "$", "budget", "", numbers=["$", "budget"])
    for name, usd in live["by_service"].items():
        made.add_row(f"  {name}", f"{usd:,.2f}", "", "")
    for name, usd in {"to date": live["month_to_date_usd"], "forecast": live["forecast_usd"]}.items():
        judged = verdict(usd <= budget, "within", "OVER") if usd is not None else ""
        made.add_row(name, DASH if usd is None else f"{usd:,.2f}", f"≤ {budget:,.2f}", judged)
    return made


def _sureness(result: Result) -> str:
    used = {line["certainty"] for line in result["lines"]}
    marks = [meaning for certainty, meaning in MEANINGS.items() if certainty in used]
    dated = result["prices_dated"]
    return " ".join(
        [
            f"List prices as read from {dated['oldest']} to {dated['newest']}, without taxes and without an account's "
            "free allowances; the source of each: --json.",
            *marks,
        ]
    )


def _paragraphs(console: Console, texts: Iterable[str], style: str = "") -> None:
    console.print()
    for text in texts:
        console.print(Padding(Text(text, style=style), (0, 0, 0, 2), expand=False))


def _usd(value: float) -> str:
    return f"${value:,.2f}"
