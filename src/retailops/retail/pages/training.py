"""The page of a training: algorithms beside each other and beside the baselines, and what products say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from retailops.retail.card import LIMITS
from retailops.retail.columns import LABELS, WORDS
from retailops.retail.pages import chart
from retailops.retail.pages.html import (
    Markup,
    facts,
    figures,
    header,
    markup,
    number,
    page,
    percent,
    section,
    table,
    tag,
    tiles,
    verdict,
    word,
)

_BASELINES = {
    "majority": "always the commonest class",
    "seed": "nine plain columns",
    "seed_features": "nine plain columns",
}
_WEIGHTS = {"one": "every line the same", "quantity": "quantity", "spend": "spend"}


def training_page(result: Mapping[str, Any]) -> str:
    """One HTML document.

    scorecards   {algorithm: {accuracy, macro_f1, precision|recall|f1: {LA, MM, UM}, pricing_error_change,
                 confusion: [[int] * 3] * 3, rows = the true class, both in LABELS order}}
    gates?       {algorithm: [{name, value, limit, direction?, ok}]}
    baselines?   {majority|seed|seed_features: scorecard}
    dataset?     version of the data
    rows?        {raw, silver, quarantined, duplicates, gold}: counts, gold in baskets
    weeks?       fiscal weeks yyyyww, ascending
    split?       {unit: "week"|"day", test_from, train_baskets, test_baskets, unclassified_baskets}, each optional
    leanings?    {noise, weight: one|quantity|spend, products, products_by_leaning: {LA, MM, UM, no_say},
                 link: {threshold_la, threshold_um}, likelihoods: {weight: mean held-out log-likelihood a basket},
                 histogram: {edges: [n + 1], counts: [n]} of expected leanings −1…+1,
                 decided: {LA|MM|UM: [{product, probability, baskets?}]}}, each optional
    project?     name of the project

    A part marked `?` that is missing or empty is left out.
    """
    cards: Mapping[str, Mapping[str, Any]] = result["scorecards"]
    gates: Mapping[str, Sequence[Mapping[str, Any]]] = result.get("gates") or {}
    best = max(cards, key=lambda name: (_passes(gates.get(name)), cards[name]["accuracy"]))
    title = f"Training {result['dataset'][:12]}" if result.get("dataset") else "Training"
    return page(
        f"{title} · retailops",
        header(
            " · ".join(["Training report", *filter(None, [result.get("project")])]),
            _headline(cards, gates),
            _lead(result),
        ),
        _tiles(best, cards[best]),
        section(
            "Side by side", _summary(cards, gates, result.get("baselines") or {}, best), note=_legend_of_errors(cards)
        ),
        _gates(gates),
        section(
            "What was taken for what",
            _legend(),
            figures(_classes(cards, gates), kind="pairs"),
            note="Rows of a matrix: the true class, its baskets and their share. Columns: the answer.",
        ),
        _leanings(result.get("leanings") or {}),
        _dataset(result),
        section("How to read this", tag("ul", *(tag("li", limit) for limit in LIMITS)), _pricing_note()),
    )


def _passes(gates: Sequence[Mapping[str, Any]] | None) -> bool:
    return all(gate["ok"] for gate in gates or ())


def _headline(cards: Mapping[str, Any], gates: Mapping[str, Any]) -> str:
    spelled = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
    count = f"{spelled[len(cards)] if len(cards) < 10 else len(cards)} algorithm{'s' if len(cards) > 1 else ''}"
    if not gates:
        return f"{count} trained"
    passing = sum(_passes(gates.get(name)) for name in cards)
    if passing == len(cards):
        return f"{count} trained, every gate passed"
    return f"{passing} of {len(cards)} algorithms pass{'' if passing > 1 else 'es'} every gate"


def _lead(result: Mapping[str, Any]) -> str:
    split = result.get("split") or {}
    parts = []
    if split.get("train_baskets") is not None:
        parts.append(f"Learned from {split['train_baskets']:,} baskets")
    if split.get("test_baskets") is not None:
        when = f" from {split.get('unit', 'week')} {split['test_from']} on" if split.get("test_from") else ""
        parts.append(f"judged on {split['test_baskets']:,} later ones{when}")
    return f"{', '.join(parts)}. One basket, one vote." if parts else "Judged per basket: one basket, one vote."


def _tiles(best: str, card: Mapping[str, Any]) -> Markup:
    wrong, total = _wrong(card)
    label = min(card["precision"], key=card["precision"].__getitem__)
    return tiles(
        [
            ("Best", word(best), f"{wrong:,} of {total:,} baskets wrong"),
            ("Accuracy", percent(card["accuracy"]), "of baskets right"),
            ("Macro F1", percent(card["macro_f1"]), "mean of the classes"),
            ("Lowest precision", percent(card["precision"][label]), f"{label}, {WORDS.get(label, '')} sensitivity"),
            ("Pricing error", percent(card["pricing_error_change"], 1), "against one price for all"),
        ]
    )


def _wrong(card: Mapping[str, Any]) -> tuple[int, int]:
    total = sum(map(sum, card["confusion"]))
    return total - sum(row[i] for i, row in enumerate(card["confusion"])), total


def _legend_of_errors(cards: Mapping[str, Any]) -> str:
    totals = {_wrong(card)[1] for card in cards.values()}
    return (
        f"{totals.pop():,} test baskets; below the line, what needs no learning of products."
        if len(totals) == 1
        else ""
    )


def _summary(cards: Mapping[str, Any], gates: Mapping[str, Any], baselines: Mapping[str, Any], best: str) -> Markup:
    head = ["", "accuracy", "macro F1", "lowest precision", "pricing error", "baskets wrong"]
    rows = [
        _row(name, markup(word(name), tag("small", "best") if name == best and len(cards) > 1 else None), card)
        for name, card in cards.items()
    ]
    rows += [
        _row(name, markup(word(name), tag("small", _BASELINES.get(name, "baseline"))), card)
        for name, card in baselines.items()
    ]
    if gates:
        head.append("gates")
        for (name, _), row in zip([*cards.items(), *baselines.items()], rows, strict=True):
            row.append(_gate_cell(gates.get(name)) if name in cards else "–")
    marked = dict.fromkeys(range(len(cards), len(rows)), "baseline")
    if baselines:
        marked[len(cards)] = "baseline first"
    return table(head, rows, marked=marked)


def _row(name: str, shown: Markup, card: Mapping[str, Any]) -> list[str | None]:
    wrong, _ = _wrong(card)
    return [
        shown,
        percent(card["accuracy"]),
        percent(card["macro_f1"]),
        percent(min(card["precision"].values())),
        percent(card["pricing_error_change"], 1),
        f"{wrong:,}",
    ]


def _gate_cell(gates: Sequence[Mapping[str, Any]] | None) -> Markup | str:
    if not gates:
        return "–"
    missed = [gate["name"] for gate in gates if not gate["ok"]]
    return verdict(not missed, f"all {len(gates)}" if not missed else f"{len(missed)} of {len(gates)} missed")


def _gates(gates: Mapping[str, Sequence[Mapping[str, Any]]]) -> Markup | None:
    """A row for each gate, a column for each algorithm."""
    if not any(gates.values()):
        return None
    names = list(dict.fromkeys(gate["name"] for each in gates.values() for gate in each))
    found = {(algorithm, gate["name"]): gate for algorithm, each in gates.items() for gate in each}
    rows: list[list[str | None]] = []
    for name in names:
        gate = next(found[algorithm, name] for algorithm in gates if (algorithm, name) in found)
        limit = f"{gate.get('direction', 'limit')} {number(gate['limit'])}"
        cells = [found.get((algorithm, name)) for algorithm in gates]
        rows.append([name, limit, *(verdict(bool(c["ok"]), number(c["value"])) if c else "–" for c in cells)])
    return section("Gates", table(["", "limit", *(word(name) for name in gates)], rows))


def _legend() -> Markup:
    return tag(
        "p",
        *(
            tag("span", tag("i", class_=label.lower()), f"{label} {WORDS[label].lower()} price sensitivity")
            for label in LABELS
        ),
        class_="legend",
    )


def _classes(cards: Mapping[str, Any], gates: Mapping[str, Any]) -> list[tuple[str, Markup]]:
    """The confusion matrix of each algorithm, and beside it precision, recall and F1 of the classes."""
    found = []
    for index, (name, card) in enumerate(cards.items()):
        limits = [gate["limit"] for gate in gates.get(name) or () if gate["name"].startswith("precision")]
        bars = chart.class_bars(f"bars{index}", card, limits[0] if limits else None)
        found.append((word(name), tag("div", _confusion(card["confusion"]), bars, class_="pair")))
    return found


def _confusion(counts: Sequence[Sequence[int]]) -> Markup:
    """Counts and shares of the true class, shaded; rare mistakes get more shade than their share, to be seen at all."""
    rows = []
    for true, row in enumerate(counts):
        total, cells = max(1, sum(row)), []
        for answer, count in enumerate(row):
            share = count / total
            shade = share if true == answer else share**0.4
            cells.append(
                tag(
                    "td",
                    tag("b", f"{count:,}"),
                    tag("span", percent(share, 1)),
                    class_="right" if true == answer else "wrong",
                    style=f"--share:{shade:.3f}",
                )
            )
        rows.append(tag("tr", tag("th", LABELS[true], scope="row"), *cells))
    head = tag("tr", tag("td"), *(tag("th", label, scope="col") for label in LABELS))
    return tag("table", tag("thead", head), tag("tbody", *rows), class_="confusion")


def _leanings(leanings: Mapping[str, Any]) -> Markup | None:
    """What was learned about products, from basket labels alone."""
    if not leanings:
        return None
    plots: list[tuple[str, Markup | str | None]] = []
    if leanings.get("histogram"):
        histogram = leanings["histogram"]
        plots.append(
            ("Products by leaning", chart.leaning_histogram("leanings", histogram["edges"], histogram["counts"]))
        )
    entries = facts(_leaning_facts(leanings))
    plots.append(("Learned", entries))
    return section(
        "Leanings",
        figures(plots),
        _decided(leanings.get("decided") or {}),
        note="Each product leans to one class or has no say: learned from the labels of its baskets, nothing given.",
    )


def _leaning_facts(leanings: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    entries: list[tuple[str, str | None]] = []
    if leanings.get("noise") is not None:
        entries.append(("Label noise, estimated", f"{percent(leanings['noise'], 1)} of labels look drawn at random"))
    if leanings.get("weight"):
        entries.append(("A line weighs by", _WEIGHTS.get(leanings["weight"], leanings["weight"])))
    for weight, value in sorted((leanings.get("likelihoods") or {}).items(), key=lambda each: -each[1]):
        entries.append((f"held-out log-likelihood, {weight}", f"{value:.4f} a basket".replace("-", "−")))
    if leanings.get("link"):
        link = leanings["link"]
        entries.append(
            (
                f"{LABELS[0]} below, {LABELS[2]} above",
                f"{link['threshold_la']:+.3f}, {link['threshold_um']:+.3f}".replace("-", "−"),
            )
        )
    if leanings.get("products") is not None:
        entries.append(("Products", f"{leanings['products']:,}"))
    for name, count in (leanings.get("products_by_leaning") or {}).items():
        entries.append(("with no say" if name == "no_say" else f"leaning to {name}", f"{count:,}"))
    return entries


def _decided(decided: Mapping[str, Sequence[Mapping[str, Any]]]) -> Markup | None:
    """The products that say most, by class."""
    lists = []
    for label, products in decided.items():
        if products:
            items = (
                tag("li", tag("code", str(each["product"])), tag("span", percent(each["probability"], 1)))
                for each in products
            )
            lists.append((f"Most decided for {label}", tag("ol", *items, class_="products")))
    return figures(lists) if lists else None


def _dataset(result: Mapping[str, Any]) -> Markup | None:
    split, rows, weeks = result.get("split") or {}, result.get("rows") or {}, result.get("weeks") or ()
    entries: list[tuple[str, str | None]] = []
    if result.get("dataset"):
        entries.append(("Version", tag("code", result["dataset"])))
    if weeks:
        entries.append(("Fiscal weeks", f"{weeks[0]} to {weeks[-1]} ({len(weeks)})"))
    if split.get("test_from"):
        entries.append((f"Test from {split.get('unit', 'week')}", str(split["test_from"])))
    named = {
        "train_baskets": "Training baskets",
        "test_baskets": "Test baskets",
        "unclassified_baskets": "Unclassified (XX), left out",
    }
    entries += [(name, f"{split[key]:,}") for key, name in named.items() if split.get(key) is not None]
    counted = {
        "raw": "Rows read",
        "silver": "Rows kept",
        "quarantined": "Rows in quarantine",
        "duplicates": "Duplicate rows",
    }
    entries += [(name, f"{rows[key]:,}") for key, name in counted.items() if rows.get(key) is not None]
    return section("Data", facts(entries)) if entries else None


def _pricing_note() -> Markup:
    return tag(
        "p",
        "Pricing error: by how many price tiers a pound of spend was priced off (LA +1, MM 0, UM −1), "
        "as a change against pricing everybody as MM.",
        class_="note",
    )
