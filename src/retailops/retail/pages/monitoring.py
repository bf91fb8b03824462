"""The page of a live model: what it was asked, how fast it answered, whether baskets still look like in training."""

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
    markup,
    number,
    page,
    percent,
    section,
    tiles,
    word,
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
        header(
            " · ".join(["Monitoring report", *filter(None, [result.get("project")])]),
            _headline(result, gates),
            _lead(result),
        ),
        _tiles(result) if result.get("requests") else None,
        section("Gates", gates_table(gates)) if gates else None,
        _speed(result, gates),
        _crowd(result, gates),
    )


def _version(result: Mapping[str, Any]) -> str:
    return f" version {result['version']}" if result.get("version") is not None else ""


def _headline(result: Mapping[str, Any], gates: Sequence[Mapping[str, Any]]) -> str:
    if not result.get("requests"):
        return "Nobody has asked anything yet"
    missed = [word(gate["name"]) for gate in gates if not gate["ok"]]
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
        entries.append(
            (
                "P95",
                f"{number(latency['p95'], 3)} ms",
                f"median {number(latency['p50'], 3)} ms" if "p50" in latency else "",
            )
        )
    if result.get("coverage") is not None:
        entries.append(("Coverage", percent(result["coverage"], 1), "of lines with a known product"))
    if result.get("psi"):
        worst = max(result["psi"], key=result["psi"].__getitem__)
        entries.append(("Largest drift", f"{result['psi'][worst]:.3f}", f"PSI of {word(worst)}"))
    return tiles(entries)


def _predictions(result: Mapping[str, Any]) -> str:
    return f"{result['predictions']:,} baskets answered" if result.get("predictions") is not None else ""


def _speed(result: Mapping[str, Any], gates: Sequence[Mapping[str, Any]]) -> Markup | None:
    """How fast, and with which HTTP status."""
    latency, histogram = result.get("latency_ms") or {}, result.get("latency_histogram") or {}
    total = result.get("requests")
    if not total or not latency:
        return None
    shown: list[tuple[str, Markup]] = []
    if any(histogram.get("counts") or ()):
        plot = chart.latency_histogram(
            "latency", histogram["edges_ms"], histogram["counts"], latency, _limit(gates, "p95")
        )
        shown.append(("Answers by milliseconds", plot))
    entries = [(key.upper(), f"{number(value, 3)} ms") for key, value in latency.items()]
    for status, count in sorted((result.get("statuses") or {}).items()):
        entries.append((f"HTTP {status}", f"{count:,} ({percent(count / total)})"))
    shown.append(("In figures", facts(entries)))
    return section("Requests", figures(shown), note="Latency as the server measured it, network left out.")


def _crowd(result: Mapping[str, Any], gates: Sequence[Mapping[str, Any]]) -> Markup | None:
    """Whether baskets and answers still look like those of training."""
    mix, training = result.get("mix") or {}, result.get("training_mix") or None
    shown: list[tuple[str, Markup]] = []
    if any(mix.values()):
        changes = (
            facts(
                (f"{label} {WORDS[label]}", f"{(mix[label] - training[label]) * 100:+.1f} points".replace("-", "−"))
                for label in LABELS
            )
            if training
            else None
        )
        shown.append(("Answers by class", markup(chart.mix_bars("mix", mix, training), changes)))
    psi = sorted((result.get("psi") or {}).items(), key=lambda each: -each[1])
    if psi:
        limit = result["max_psi"] if result.get("max_psi") is not None else _limit(gates, "psi")
        shown.append(("Drift by feature, PSI", chart.drift_bars("drift", dict(psi[:SHOWN_FEATURES]), limit)))
    rest = f" {len(psi) - SHOWN_FEATURES} features drift less than those drawn." if len(psi) > SHOWN_FEATURES else ""
    note = "PSI, the population stability index, compares baskets now with those learned from: below 0.1 much the same."
    return section("Against training", figures(shown), note=note + rest if psi else None) if shown else None


def _limit(gates: Sequence[Mapping[str, Any]], name: str) -> float | None:
    """The limit of the first gate whose name mentions `name`."""
    return next((float(gate["limit"]) for gate in gates if name in gate["name"].lower()), None)
