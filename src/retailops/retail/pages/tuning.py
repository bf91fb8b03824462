"""The page of a tuning: every trial by its parameters, and the best against what is used without tuning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from retailops.retail.pages import chart
from retailops.retail.pages.html import (
    Markup,
    facts,
    figures,
    header,
    markup,
    number,
    page,
    section,
    table,
    tag,
    tiles,
    word,
)

_ROWS = 20
_NOTES = (
    "A score is the mean macro F1 of steps forward in time inside the training weeks. "
    "The test weeks that a scorecard is made of are never seen here.",
    "The features are learned once over all training weeks, out of fold, and shared by all trials: scores compare "
    "parameters, they don't foretell the accuracy of the model.",
    "The best of many trials is partly the luckiest. Parameters are only changed for a gain of more than two standard "
    "errors over the folds.",
)


def tuning_page(result: Mapping[str, Any]) -> str:
    """One HTML document.

    algorithm, trials [{trial, value, parameters, scores, pruned, seconds}] with trial 0 = what is used without tuning,
    best (its number), gain, standard_error, improved, tuned {parameter: value}, folds [{unit, first, last, learned,
    judged}], stopped; project?, dataset?, run?: left out where they are missing.
    """
    trials: Sequence[Mapping[str, Any]] = result["trials"]
    name = word(result["algorithm"])
    return page(
        f"Tuning {name} · retailops",
        header(
            " · ".join(["Tuning report", *filter(None, [result.get("project")])]),
            f"{name}: better parameters found" if result["improved"] else f"{name}: the usual parameters are as good",
            _lead(result),
        ),
        _tiles(result),
        section(
            "Every trial",
            figures([("in their order", _over_time(trials)), *_by_parameter(trials)]),
            note="Hollow: pruned, by the folds judged until then. Large: the best. Dashed: without tuning.",
        ),
        section("The best trials", _table(result)),
        section("Steps forward in time", _folds(result["folds"])),
        _lineage(result),
        section("How to read this", tag("ul", *(tag("li", note) for note in _NOTES))),
    )


def _lead(result: Mapping[str, Any]) -> str:
    pruned = sum(trial["pruned"] for trial in result["trials"])
    ended = "; it ended early, since nothing better was found for a while" if result["stopped"] else ""
    return f"{len(result['trials'])} sets of parameters tried, {pruned} of them pruned{ended}."


def _tiles(result: Mapping[str, Any]) -> Markup:
    trials = result["trials"]
    best = trials[result["best"]]
    return tiles(
        [
            ("Without tuning", f"{trials[0]['value']:.4f}", "macro F1, trial 0"),
            ("Best", f"{best['value']:.4f}", f"macro F1, trial {best['trial']}"),
            ("Gain", number(result["gain"], 2), f"± {number(result['standard_error'], 2)} standard error"),
            ("Verdict", "changed" if result["improved"] else "kept", "more than two standard errors count"),
        ]
    )


def _over_time(trials: Sequence[Mapping[str, Any]]) -> Markup:
    return chart.trial_dots("trials", trials, "trial", [float(trial["trial"]) for trial in trials], log=False)


def _by_parameter(trials: Sequence[Mapping[str, Any]]) -> list[tuple[str, Markup]]:
    """A plot for each parameter that is a number; the words of the others are in the table."""
    plots = []
    for index, name in enumerate(trials[0]["parameters"]):
        values = [trial["parameters"][name] for trial in trials]
        if all(isinstance(value, int | float) for value in values):
            log = min(values) > 0 and max(values) / min(values) > 30
            plots.append((word(name), chart.trial_dots(f"parameter-{index}", trials, word(name), values, log)))
    return plots


def _table(result: Mapping[str, Any]) -> Markup:
    trials = result["trials"]
    ranked = sorted(trials, key=lambda trial: (trial["pruned"], -trial["value"], trial["trial"]))[:_ROWS]
    names = list(trials[0]["parameters"])
    rows = []
    for trial in ranked:
        remark = "best" if trial["trial"] == result["best"] else "pruned" if trial["pruned"] else None
        remark = "without tuning" if trial["trial"] == 0 else remark
        shown = markup(str(trial["trial"]), tag("small", remark) if remark else None)
        rows.append([shown, f"{trial['value']:.4f}", *(_value(trial["parameters"][name]) for name in names)])
    return table(["", "macro F1", *(word(name) for name in names)], rows)


def _value(value: Any) -> str:
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _folds(folds: Sequence[Mapping[str, Any]]) -> Markup:
    rows = [
        [f"{fold['unit']} {_span(fold['first'], fold['last'])}", f"{fold['learned']:,}", f"{fold['judged']:,}"]
        for fold in folds
    ]
    return table(["", "baskets learned from, all earlier", "baskets judged"], rows)


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} … {last}"


def _lineage(result: Mapping[str, Any]) -> Markup | None:
    known = [(name, result[name]) for name in ("dataset", "run") if result.get(name)]
    return section("What came of it", facts(known)) if known else None
