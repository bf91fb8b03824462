"""The parts of a page: elements that escape their text by themselves, numbers for people, and the frame."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

# The browser itself is told to load nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


class Markup(str):
    """Text that is HTML already; every other text is escaped on its way into an element."""

    __slots__ = ()


Child = str | None


def markup(*children: Child) -> Markup:
    """Children one after another: Markup as it is, text escaped, None left out."""
    return Markup("".join(each if isinstance(each, Markup) else escape(each) for each in children if each is not None))


def tag(name: str, *children: Child, **attributes: str | None) -> Markup:
    """`<name …>children</name>`; `class_` writes class, underscores become hyphens, None leaves an attribute out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}>{markup(*children)}</{name}>")


def page(title: str, *children: Child) -> str:
    """A whole document with the stylesheet inside."""
    style = files("retailops.templates").joinpath("report.css").read_text(encoding="utf-8")
    head = markup(
        Markup('<meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup('<meta name="color-scheme" content="light dark">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        tag("title", title),
        tag("style", Markup(style)),
    )
    body = tag("body", tag("main", *children))
    return f'<!DOCTYPE html>\n<html lang="en">\n<head>{head}</head>\n{body}\n</html>\n'


def header(kicker: str, title: str, lead: Child) -> Markup:
    return tag("header", tag("p", kicker, class_="kicker"), tag("h1", title), tag("p", lead, class_="lead"))


def section(title: str, *children: Child, note: Child = None) -> Markup:
    """A titled part of the page; `note` stands small under the title."""
    return tag("section", tag("h2", title), tag("p", note, class_="note") if note else None, *children)


def tiles(entries: Iterable[tuple[str, str, str]]) -> Markup:
    """The figures that matter: (name, figure, remark) each."""
    return tag(
        "dl",
        *(
            tag("div", tag("dt", name), tag("dd", tag("b", figure), tag("span", remark) if remark else None))
            for name, figure, remark in entries
        ),
        class_="tiles",
    )


def facts(entries: Iterable[tuple[str, Child]]) -> Markup:
    """Names and values below each other."""
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in entries), class_="facts")


def table(head: Sequence[str], rows: Iterable[Sequence[Child]], *, marked: Mapping[int, str] | None = None) -> Markup:
    """A table whose first column names the row. On a narrow screen each row becomes a block, its cells named.

    marked: row number → CSS class.
    """
    marked = marked or {}
    body = [
        tag(
            "tr",
            tag("th", row[0], scope="row"),
            *(tag("td", cell, data_name=name) for name, cell in zip(head[1:], row[1:], strict=True)),
            class_=marked.get(number),
        )
        for number, row in enumerate(rows)
    ]
    top = tag("thead", tag("tr", *(tag("th", name, scope="col") if name else tag("td") for name in head)))
    return tag("table", top, tag("tbody", *body), class_="stack")


def figures(entries: Iterable[tuple[str, Child]], kind: str = "") -> Markup:
    """Plots or small tables in a row that wraps, each under its caption. `kind`: "", or "pairs" for two in each."""
    return tag(
        "div",
        *(tag("figure", tag("figcaption", caption) if caption else None, content) for caption, content in entries),
        class_=f"figures {kind}".strip(),
    )


def verdict(ok: bool, text: str) -> Markup:
    """A sign and a word, so that colour is never the only carrier."""
    return tag("span", "✓ " if ok else "✗ ", text, class_="good" if ok else "bad")


def gates_table(gates: Sequence[Mapping[str, Any]]) -> Markup:
    """One row a gate: {name, value, limit, ok} and, where it is known, its direction."""
    rows = [
        [
            word(gate["name"]),
            number(gate["value"]),
            f"{gate['direction']} {number(gate['limit'])}" if gate.get("direction") else number(gate["limit"]),
            verdict(bool(gate["ok"]), "passed" if gate["ok"] else "missed"),
        ]
        for gate in gates
    ]
    return table(
        ["", "measured", "limit", "gate"], rows, marked={i: "missed" for i, g in enumerate(gates) if not g["ok"]}
    )


def percent(share: float | None, digits: int = 2) -> str:
    """0.99991 → 99.991 %: digits grow until a share below 1 doesn't look like 1, nor one above 0 like 0."""
    if share is None or math.isnan(share):
        return "–"
    for more in range(4):
        text = f"{share * 100:.{digits + more}f}"
        if (float(text) != 100 or share >= 1) and (float(text) != 0 or share == 0):
            break
    return f"{text} %".replace("-", "−")


def number(value: float | None, digits: int = 4) -> str:
    """So many significant digits, a thousands mark, a real minus."""
    if value is None or math.isnan(value):
        return "–"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}".replace("-", "−")
    text = f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.{digits}g}"
    return text.replace("-", "−")


def word(name: str) -> str:
    """logistic_regression → logistic regression."""
    return name.replace("_", " ")
