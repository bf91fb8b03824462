"""The few shapes that all views are made of; each fits 80 columns, and says with words what it says with colour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from retailops.ports import Change

DASH = "–"


def table(*headings: str, numbers: Iterable[str] = ()) -> Table:
    """An airy table; the columns named in `numbers` are set to the right."""
    right = set(numbers)
    made = Table(box=SIMPLE_HEAD, header_style="dim", pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for heading in headings:
        made.add_column(heading, justify="right" if heading in right else "left", no_wrap=heading in right)
    return made


def title(console: Console, text: str, detail: str = "") -> None:
    """One bold line, with what is less important behind it."""
    console.print(Text.assemble((text, "bold"), (f"  {detail}" if detail else "", "dim")), soft_wrap=True)


def facts(console: Console, pairs: Mapping[str, Any]) -> None:
    """Names and values, aligned; values that aren't known are left out."""
    known = {name: value for name, value in pairs.items() if value not in (None, "", [])}
    width = max(map(len, known), default=0)
    for name, value in known.items():
        shown = value if isinstance(value, Text) else Text(number(value))
        console.print(Text.assemble("  ", (name.ljust(width), "dim"), "  ", shown), soft_wrap=True)


def show(console: Console, content: Table) -> None:
    """A table, set in a little, with a blank line above."""
    console.print()
    console.print(Padding(content, (0, 0, 0, 2), expand=False))


def verdict(ok: bool, yes: str = "pass", no: str = "FAIL") -> Text:
    """A mark and a word: colour alone would be lost in a pipe, or on some eyes."""
    return Text(f"✔ {yes}", style="green") if ok else Text(f"✘ {no}", style="bold red")


def number(value: Any) -> str:
    """A value as a person reads it: thousands apart, four significant digits."""
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return (f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}").replace("-", "−")
    if isinstance(value, list | tuple):
        return ", ".join(number(item) for item in value)
    return str(value)


def share(value: float | None) -> str:
    """A share with four decimals, so that .9999 isn't shown as 1."""
    return DASH if value is None else f"{value:.4f}"


def percent(value: float | None) -> str:
    """A share of a whole: 0.512 → "51.2 %"."""
    return DASH if value is None else f"{value * 100:.1f} %"


def signed_percent(value: float | None) -> str:
    """A change: −0.12 → "−12.0 %"."""
    return DASH if value is None else f"{value * 100:+.1f} %".replace("-", "−")


def size(count: float | None) -> str:
    """Bytes in the unit that reads best."""
    if count is None:
        return DASH
    for unit in ("B", "KB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def feature_counts(features: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Published feature groups, each with how many things it knows: "customer (4,862)"."""
    return [f"{name} ({number(live['keys'])})" for name, live in features.items()]


def gate_table(gates: Sequence[Mapping[str, Any]]) -> Table:
    """Every number beside its gate, with the verdict in a word."""
    made = table("gate", "value", "must be", "", numbers=["value", "must be"])
    for gate in gates:
        limit = f"{'≥' if gate['direction'] == 'at least' else '≤'} {number(gate['limit'])}"
        made.add_row(gate["name"], number(gate["value"]), limit, verdict(gate["ok"]))
    return made


def change_table(changes: Sequence[Change]) -> Table:
    """What will be, or was, created or removed; prices only where there are any."""
    priced = any(change.monthly_usd for change in changes)
    made = table("", "kind", "name", "detail", *(["$/month"] if priced else []), numbers=["$/month"])
    for change in changes:
        price = [f"{change.monthly_usd:,.2f}" if change.priced else "unknown"] if priced else []
        made.add_row(
            change.action, change.kind, Text(change.name, overflow="fold"), Text(change.detail, style="dim"), *price
        )
    return made
