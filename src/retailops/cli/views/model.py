"""Views of train, register, models and predict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from retailops.cli.views.layout import (
    facts,
    feature_counts,
    gate_table,
    number,
    percent,
    share,
    show,
    signed_percent,
    table,
    title,
    verdict,
)

Result = Mapping[str, Any]


def trained(console: Console, result: Result) -> None:
    """The algorithms side by side with their verdict, the baselines below them."""
    title(console, "Trained", "before: nothing changed" if result["reused"] else "")
    show(console, _score_table(result))
    console.print()
    leanings = result.get("leanings") or {}
    facts(
        console,
        {
            "dataset": result["dataset"],
            "split": _split(result["split"]),
            "label noise": percent(leanings["noise"]) if leanings else None,
            "line weight": leanings.get("weight"),
            "report": result.get("report"),
        },
    )


def _score_table(result: Result) -> Table:
    """Accuracy, macro F1, the lowest precision of a class, the pricing error against one price, and the gates."""
    headings = ("accuracy", "macro F1", "precision", "pricing")
    made = table("algorithm", "run", *headings, "gates", numbers=headings)
    for name, card in result["scorecards"].items():
        missed = [gate for gate in result["gates"][name] if not gate["ok"]]
        made.add_row(
            name, result["runs"][name][:6], *_figures(card), verdict(not missed, "pass", f"{len(missed)} missed")
        )
    made.add_section()
    for name, card in result["baselines"].items():
        made.add_row(name, "", *_figures(card), "baseline", style="dim")
    return made


def _figures(card: Result) -> tuple[str, str, str, str]:
    precision = min(card["precision"].values())
    return (
        share(card["accuracy"]),
        share(card["macro_f1"]),
        share(precision),
        signed_percent(card["pricing_error_change"]),
    )


def _split(split: Result) -> str:
    trained, judged = number(split["train_baskets"]), number(split["test_baskets"])
    return f"{trained} baskets before {split['unit']} {split['test_from']}, {judged} to judge on"


def registered(console: Console, result: Result) -> None:
    """The verdict of every gate, and the version if there is one."""
    version = result.get("version")
    title(console, f"Version {version}" if version else "Refused", f"{result['algorithm']}, run {result['run']}")
    show(console, gate_table(result["gates"]))
    console.print()
    known = {name: result.get(name) for name in ("dataset", "bundle", "folder")}
    facts(console, known | {"features": feature_counts(result.get("features", {}))})


def versions(console: Console, result: Result) -> None:
    """All registered versions, ascending."""
    if not result["models"]:
        console.print("No version yet. Register one with: retailops register")
        return
    headings = ("version", "accuracy", "macro F1")
    made = table("version", "algorithm", "accuracy", "macro F1", "data", "created", "", numbers=headings)
    for entry in result["models"]:
        made.add_row(number(entry["version"]), *_entry(entry), _standing(entry))
    show(console, made)


def _standing(entry: Result) -> Text:
    """What was decided, and below it whether the version is served."""
    colour = {"approved": "green", "rejected": "bold red"}.get(entry["approval"], "dim")
    live = ("\n● live", "green") if entry["live"] else ""
    return Text.assemble((entry["approval"], colour), live)


def decided(console: Console, result: Result) -> None:
    """The decision as it now stands."""
    approved = result["approval"] == "approved"
    console.print(
        verdict(approved, f"version {result['version']} is approved", f"version {result['version']} is rejected")
    )
    facts(console, {name: result[key] for name, key in _DECISION.items()} | {"algorithm": result["algorithm"]})
    if result["live"] and not approved:
        console.print("\nIt is live and stays live. Put another in its place: retailops deploy --version N")


_DECISION = {"by": "decided_by", "at": "decided_at", "reason": "reason"}


def runs(console: Console, result: Result) -> None:
    """All runs, side by side, with the version that each became."""
    if not result["runs"]:
        console.print("No run yet. Train one with: retailops train --algo all")
        return
    headings = ("accuracy", "macro F1", "version")
    made = table("run", "algorithm", "accuracy", "macro F1", "dataset", "created", "version", numbers=headings)
    for entry in result["runs"]:
        made.add_row(entry["run"][:6], *_entry(entry), number(entry["version"]))
    show(console, made)


def _entry(entry: Result) -> tuple[str, str, str, str, str]:
    created = str(entry["created"])[5:16].replace("T", " ")  # month, day and time: the year rarely tells anything
    return entry["algorithm"], share(entry["accuracy"]), share(entry["macro_f1"]), entry["dataset"][:7], created


def version(console: Console, result: Result) -> None:
    """One version: where it comes from, how good it is."""
    title(console, f"Version {result['version']}", result["algorithm"])
    decision = " by ".join(filter(None, [result["approval"], result["decided_by"]]))
    facts(
        console,
        {name: result[name] for name in ("dataset", "run", "bundle", "folder", "created")}
        | {"tuned by": result["tuned_by"], "approval": decision}
        | {"decided": result["decided_at"], "reason": result["reason"]},
    )
    card = result["scorecard"]
    console.print()
    facts(
        console,
        {
            "baskets judged": card["baskets"],
            "accuracy": share(card["accuracy"]),
            "macro F1": share(card["macro_f1"]),
            "pricing error": f"{number(card['pricing_error'])}, {signed_percent(card['pricing_error_change'])} "
            "against one price for all",
        },
    )
    _by_class(console, card)
    console.print()
    facts(console, result["parameters"])


def _by_class(console: Console, card: Result) -> None:
    """A row a class: its scores, and what its baskets were taken for."""
    labels = card["labels"]
    taken = [f"as {label}" for label in labels]
    made = table("class", "precision", "recall", "F1", *taken, numbers=["precision", "recall", "F1", *taken])
    for at, label in enumerate(labels):
        counts = [number(count) for count in card["confusion"][at]]
        scores = [share(card[name][label]) for name in ("precision", "recall", "f1")]
        made.add_row(label, *scores, *counts)
    show(console, made)


def predicted(console: Console, result: Result) -> None:
    """Where the predictions are, and how they spread."""
    title(console, f"{number(result['baskets'])} baskets scored", str(result["output"]))
    mix = ", ".join(f"{label} {percent(part)}" for label, part in result["mix"].items())
    quarantined = result["rows"]["quarantined"]
    facts(
        console,
        {
            "version": result["version"],
            "predictions": mix,
            "coverage": percent(result["coverage"]),
            "quarantined": f"{number(quarantined)} rows" if quarantined else None,
        },
    )
