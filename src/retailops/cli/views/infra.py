"""Views of infra, park and wake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from retailops.cli.views import cost
from retailops.cli.views.layout import facts, number, show, table, title, verdict
from retailops.ports import Change

Result = Mapping[str, Any]


def planned(changes: Sequence[Change]) -> Callable[[Console, Result], None]:
    """What would be done, by kind, and what it costs then."""

    def view(console: Console, result: Result) -> None:
        if changes:
            show(console, kinds(changes))
        else:
            console.print(verdict(True, "everything stands as retail.yaml wants it"))
        cost.bill(console, result)

    return view


def kinds(changes: Sequence[Change]) -> Table:
    """How many of each kind; what is replaced or deleted is named, since that is what one must know."""
    made = table("", "kind", "how many", "", numbers=["how many"])
    counted = Counter((change.action, change.kind) for change in changes)
    for (action, kind), count in sorted(counted.items(), key=lambda item: (_ORDER.index(item[0][0]), item[0][1])):
        names = [change.name for change in changes if (change.action, change.kind) == (action, kind)]
        made.add_row(action, kind.replace("_", " "), number(count), "" if action == "create" else ", ".join(names))
    made.add_section()
    made.add_row("", "in all", number(len(changes)), "", style="dim")
    return made


_ORDER = ("replace", "delete", "update", "create", "left")


def built(console: Console, result: Result) -> None:
    """What was done."""
    words = [f"{result[word]} {word}" for word in ("created", "updated", "replaced", "deleted") if result[word]]
    console.print(verdict(True, ", ".join(words) or "everything stands already"))
    if result["monthly_usd"]:
        console.print(f"  about ${result['monthly_usd']:,.2f} a month; retailops park saves what is paid by the hour")


def standing(console: Console, result: Result) -> None:
    """What stands, its lease, and drift."""
    if not result["resources"]:
        console.print("Nothing stands.")
        return
    title(console, f"{result['resources']} resources", "parked" if result["parked"] else "")
    hidden = ("resources", "parked", "drift", "expired", "expires")
    expires = result["expires"] and f"{result['expires']}{' – expired' if result['expired'] else ''}"
    facts(console, {"expires": expires, **{key: value for key, value in result.items() if key not in hidden}})
    console.print()
    console.print(verdict(not result["drift"], "no drift", f"{len(result['drift'])} differ from what was built"))
    for line in result["drift"]:
        console.print(f"  {line}", soft_wrap=True)


def parked(console: Console, result: Result) -> None:
    """Whether it sleeps."""
    console.print(verdict(True, "parked: data stays, nothing answers" if result["parked"] else "awake"))


def unlocked(console: Console, result: Result) -> None:
    for line in result["broken"]:
        console.print(verdict(True, f"the lock is broken: it was {line}"))
    if not result["broken"]:
        console.print(verdict(True, "nobody holds a lock"))
