"""Views of train, register, models and predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from retailops.cli.views.layout import facts, gate_table, number, share, show, signed_percent, table, title

Result = Mapping[str, Any]


def trained(console: Console, result: Result) -> None:
    """The algorithms side by side, the baselines below them."""
    title(console, "Trained", _split(result.get("split")))
    show(console, score_table(result["scorecards"], result.get("baselines", {})))
    facts(console, {"report": result.get("report")})


def score_table(scorecards: Mapping[str, Result], baselines: Mapping[str, Result]) -> Table:
    """Accuracy, macro F1, the lowest precision of a class, and the pricing error against one price for all."""
    headings = ("accuracy", "macro F1", "lowest precision", "pricing error")
    made = table("algorithm", *headings, numbers=headings)
    best = max(scorecards, key=lambda name: scorecards[name]["accuracy"], default="")
    for name, card in [*scorecards.items(), *baselines.items()]:
        style = "dim" if name in baselines else "bold" if name == best else ""
        precision = min(card["precision"].values())
        made.add_row(
            Text(f"{name} (baseline)" if name in baselines else name),
            share(card["accuracy"]),
            share(card["macro_f1"]),
            share(precision),
            signed_percent(card.get("pricing_error_change")),
            style=style,
        )
    return made


def _split(split: Any) -> str:
    if not isinstance(split, Mapping):
        return ""
    weeks = [split.get(name) for name in ("train_weeks", "test_weeks")]
    if not all(isinstance(part, Sequence) and part for part in weeks):
        return ""
    return "on weeks {}–{}, judged on {}–{}".format(*(part[at] for part in weeks for at in (0, -1) if part))


def registered(console: Console, result: Result) -> None:
    """The verdict of every gate, and the version if there is one."""
    version = result.get("version")
    title(console, f"Version {version}" if version else "Refused", str(result.get("algorithm") or ""))
    show(console, gate_table(result.get("gates", [])))
    facts(console, {name: result.get(name) for name in ("run", "dataset", "bundle")})


def versions(console: Console, result: Result) -> None:
    """All registered versions, ascending."""
    entries = result["versions"]
    if not entries:
        console.print("No version yet. Register one with: retailops register")
        return
    made = table(
        "version",
        "algorithm",
        "accuracy",
        "macro F1",
        "dataset",
        "created",
        numbers=["version", "accuracy", "macro F1"],
    )
    for entry in entries:
        made.add_row(
            _version(entry),
            entry.get("algorithm"),
            *_scores(entry),
            entry.get("dataset"),
            _minute(entry.get("created")),
        )
    show(console, made)


def runs(console: Console, result: Result) -> None:
    """All runs, side by side."""
    entries = result["runs"]
    if not entries:
        console.print("No run yet. Train one with: retailops train --algo all")
        return
    made = table("run", "algorithm", "accuracy", "macro F1", "dataset", "created", numbers=["accuracy", "macro F1"])
    for entry in entries:
        identity = entry.get("id") or entry.get("run")
        made.add_row(
            identity, entry.get("algorithm"), *_scores(entry), entry.get("dataset"), _minute(entry.get("created"))
        )
    show(console, made)


def version(console: Console, result: Result) -> None:
    """One version: where it comes from, how good it is."""
    title(console, f"Version {result['version']}", str(result.get("algorithm", "")))
    facts(
        console,
        {name: result.get(name) for name in ("run", "dataset", "created", "bundle_hash", "bundle", "parameters")},
    )
    card = result.get("scorecard")
    if card:
        _by_class(console, card)


def _by_class(console: Console, card: Result) -> None:
    facts(console, {"accuracy": share(card["accuracy"]), "macro F1": share(card["macro_f1"])})
    labels = card.get("labels") or sorted(card["precision"])
    predicted = [f"as {label}" for label in labels]
    made = table("class", "precision", "recall", "F1", *predicted, numbers=["precision", "recall", "F1", *predicted])
    for at, label in enumerate(labels):
        counts = [number(count) for count in card["confusion"][at]]
        made.add_row(
            label, share(card["precision"][label]), share(card["recall"][label]), share(card["f1"][label]), *counts
        )
    show(console, made)


def predicted(console: Console, result: Result) -> None:
    """Where the predictions are, and how they spread."""
    title(console, f"{number(result.get('baskets'))} baskets scored", str(result.get("output", "")))
    facts(console, {name: result.get(name) for name in ("version", "coverage", "quarantined")})
    mix = result.get("mix")
    if mix:
        made = table("prediction", "baskets", numbers=["baskets"])
        for label, count in mix.items():
            made.add_row(label, number(count))
        show(console, made)


def _version(entry: Result) -> Text:
    return Text(f"{entry['version']} ● live", style="green") if entry.get("live") else Text(str(entry["version"]))


def _scores(entry: Result) -> tuple[str, str]:
    card = entry.get("scorecard") or entry
    return share(card.get("accuracy")), share(card.get("macro_f1"))


def _minute(moment: Any) -> str:
    return str(moment or "")[:16].replace("T", " ")
