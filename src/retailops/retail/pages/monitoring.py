"""The page of a live model: what it was asked, how fast it answered, and whether baskets still look like those it learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from retailops.retail.columns import LABELS, WORDS
from retailops.retail.pages import chart
from retailops.retail.pages.html import (
    Markup,
    facts,
    figures,
    gates_table,
    header,
    number,
    page,
    percent,
    section,
    table,
    tiles,
)

# More bars than this are a wall; the rest is said in a line.
SHOWN_FEATURES = 24


def monitor_page(result: Mapping[str, Any]) -> str:
    """One HTML document.

    requests           answers in the window, of all kinds
    version?           model version that is live
    url?, project?, window_hours?
    statuses?          {HTTP status: count}
    error_rate?        share of requests, 0 to 1, answered with 5xx
    predictions?       baskets answered
    latency_ms?        {p50, p90, p95, p99}, milliseconds
    latency_histogram? {edges_ms: [n + 1], counts: [n]}
    mix?, training_mix?  {LA, MM, UM}: share of each class
    coverage?          share of lines whose product was known, 0 to 1
    psi?               {feature: PSI}
    max_psi?           the gate's line; without it, the limit of the gate whose name says PSI
    gates?             [{name, value, limit, direction?, ok}]

    A part marked `?` that is missing or empty is left out.
    """
    gates: Sequence[Mapping[str, Any]] = result.get("gates") or ()
    return page(
        f"Monitoring{_version(result)} · retailops",
        header(" · ".join(["Monitoring report", *filter(None, [result.get("project")])]), _headline(result, gates), _lead(result)),
        _tiles(result) if result.get("requests") else None,
        section("Gates", gates_table(gates)) if gates else None,
        _speed(result, gates),
        _answers(result),
        _drift(result, gates),
        _counts(result),
    )


def _version(result: Mapping[str, Any]) -> str:
    return f" version {result['version']}" if result.get("version") is not None else ""


def _headline(result: Mapping[str, Any], gates: Sequence[Mapping[str, Any]]) -> str:
    if not result.get("requests"):
        return "Nobody has asked anything yet"
    missed = [gate["name"] for gate in gates if not gate["ok"]]
    if missed:
        return f"{len(missed)} of {len(gates)} gates missed: {', '.join(missed)}"
    return "Every gate passed" if gates else f"{result['requests']:,} requests"


def _lead(result: Mapping[str, Any]) -> str:
    where = f" at {result['url']}" if result.get("url") else ""
    window = f" over the last {number(result['window_hours'])} hours" if result.get("window_hours") else ""
    return f"Model{_version(result)}{where}{window}."


def _tiles(result: Mapping[str, Any]) -> Markup:
    entries = [("Requests", f"{result['requests']:,}", _predictions(result))]
    if result.get("error_rate") is not None:
        entries.append(("Errors", percent(result["error_rate"]), "of requests"))
    latency = result.get("latency_ms") or {}
    if "p95" in latency:
        entries.append(("P95", f"{number(latency['p95'])} ms", f"median {number(latency['p50'])} ms" if "p50" in latency else ""))
    if result.get("coverage") is not None:
        entries.append(("Coverage", percent(result["coverage"], 1), "of lines with a known product"))
    if result.get("psi"):
        worst = max(result["psi"], key=result["psi"].__getitem__)
        entries.append(("Largest drift", f"{result['psi'][worst]:.3f}", f"PSI of {worst.replace('_', ' ')}"))
    return tiles(entries)


def _predictions(result: Mapping[str, Any]) -> str:
    return f"{result['predictions']:,} baskets answered" if result.get("predictions") is not None else ""


def _speed(result: Mapping[str, Any], gates: Sequence[Mapping[str, Any]]) -> Markup | None:
    latency, histogram = result.get("latency_ms") or {}, result.get("latency_histogram") or {}
    if not result.get("requests") or not latency:
        return None
    plots: list[tuple[str, Markup]] = []
    if any(histogram.get("counts") or ()):
        plot = chart.latency_histogram("latency", histogram["edges_ms"], histogram["counts"], latency, _limit(gates, "p95"))
        plots.append(("Answers by milliseconds", plot))
    plots.append(("Percentiles", facts((key.upper(), f"{number(value)} ms") for key, value in latency.items())))
    return section("Speed", figures(plots), note="As the server measured it, from the first byte of a request to its answer.")


def _answers(result: Mapping[str, Any]) -> Markup | None:
    mix = result.get("mix") or {}
    if not any(mix.values()):
        return None
    training = result.get("training_mix") or None
    told = facts((f"{label} {WORDS[label]}", _change(mix[label], training[label] if training else None)) for label in LABELS)
    plots = [("Share of each class", chart.mix_bars("mix", mix, training)), ("Change", told)]
    return section("Answers", figures(plots if training else plots[:1]))


def _change(live: float, training: float | None) -> str:
    return percent(live, 1) if training is None else f"{(live - training) * 100:+.1f} points".replace("-", "−")


def _drift(result: Mapping[str, Any], gates: Sequence[Mapping[str, Any]]) -> Markup | None:
    psi = sorted((result.get("psi") or {}).items(), key=lambda each: -each[1])
    if not psi:
        return None
    limit = result["max_psi"] if result.get("max_psi") is not None else _limit(gates, "psi")
    shown, rest = dict(psi[:SHOWN_FEATURES]), len(psi) - SHOWN_FEATURES
    note = "Population stability index of what baskets look like now against training: below 0.1 the same, above 0.25 another crowd."
    if rest > 0:
        note += f" {rest} features below {psi[SHOWN_FEATURES - 1][1]:.3f} aren't drawn."
    return section("Drift", figures([("", chart.drift_bars("drift", shown, limit))], wide=True), note=note)


def _limit(gates: Sequence[Mapping[str, Any]], name: str) -> float | None:
    """The limit of the first gate whose name mentions `name`."""
    return next((float(gate["limit"]) for gate in gates if name in gate["name"].lower()), None)


def _counts(result: Mapping[str, Any]) -> Markup | None:
    statuses, total = result.get("statuses") or {}, result.get("requests") or 0
    if not statuses or not total:
        return None
    rows = [[str(status), f"{count:,}", percent(count / total)] for status, count in sorted(statuses.items())]
    return section("Requests by HTTP status", table(["", "requests", "share"], rows))
