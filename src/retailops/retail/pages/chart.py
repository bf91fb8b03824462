"""Plots as inline SVG: drawn by matplotlib, coloured by the page's CSS variables so that dark mode reaches them."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from retailops.retail.columns import LABELS
from retailops.retail.pages.html import Markup, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colours that stand for the page's variables; nobody would choose them, so replacing them in the SVG is safe.
INK, MUTED, RULE, ACCENT, BAD, SOFT = "#0a0b01", "#0a0b02", "#0a0b03", "#0a0b04", "#0a0b05", "#0a0b06"
CLASS = dict(zip(LABELS, ("#0a0b07", "#0a0b08", "#0a0b09"), strict=True))
_VARIABLES = {INK: "ink", MUTED: "muted", RULE: "rule", ACCENT: "accent", BAD: "bad", SOFT: "soft"} | {
    colour: label.lower() for label, colour in CLASS.items()
}

# One unit of the drawing is about one pixel of the page: figures stand in columns of this width, on phones too.
WIDTH = 360
NARROW = 262
MOST = 1.3  # how much a figure may grow before its text looks coarse
_STYLE: Any = {
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "axes.labelcolor": MUTED,
    "axes.labelsize": 11,
    "axes.linewidth": 1,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "font.size": 11,
    "svg.fonttype": "none",
    "svg.hashsalt": "retailops",
    "text.color": INK,
    "text.parse_math": False,  # a $ in a name is a $
    "xtick.color": RULE,
    "xtick.labelcolor": MUTED,
    "xtick.major.size": 3,
    "ytick.labelcolor": INK,
    "ytick.major.size": 0,
}


def draw(name: str, told: str, height: float, paint: Callable[[Axes], None], width: float = WIDTH) -> Markup:
    """The SVG of what `paint` puts on empty axes; `name` is unique in its page, `told` says the plot in words."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=(width / 72, height / 72), layout="constrained")
        paint(figure.add_subplot())
        text = io.StringIO()
        FigureCanvasSVG(figure).print_svg(text, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))  # type: ignore[no-untyped-call]
    return _clean(text.getvalue(), name, told, width)


def _clean(text: str, name: str, told: str, width: float) -> Markup:
    """Without prologue, metadata, global style and fonts; ids unique in the page; colours as variables."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", text, flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(|xlink:href=")#([\w.-]+)', text))
    text = re.sub(r' id="([\w.-]+)"', lambda found: found[0] if found[1] in used else "", text)
    text = re.sub(r'(id="|url\(#|xlink:href="#)(?=[\w.-]+)', rf"\g<1>{name}-", text).replace("xlink:href", "href")
    text = re.sub(
        r"font-family: [^;\"]*(; )?|font: [^;\"]*?(\d+px)[^;\"]*", lambda f: f"font-size: {f[2]}" if f[2] else "", text
    )
    text = re.sub(r' transform="rotate\(-?0 [^"]*"', "", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var(--{variable})")
    text = re.sub(r"\n\s*", " ", text)
    opening = re.search(r'viewBox="[^"]*"', text)
    size = f'{opening[0] if opening else ""} style="max-width:{width * MOST:.0f}px"'
    head = f'<svg class="chart" role="img" {size} xmlns="http://www.w3.org/2000/svg">'
    return Markup(f"{head}<title>{escape(told)}</title>{text[text.index('>') + 1 :].strip()}")


def class_bars(name: str, scorecard: Mapping[str, Any], gate: float | None) -> Markup:
    """Precision, recall and F1 of each class from 0 to 1; `gate` is the precision limit."""
    metrics = [each for each in ("precision", "recall", "f1") if each in scorecard]
    told = "; ".join(f"{each} {', '.join(f'{k} {percent(v)}' for k, v in scorecard[each].items())}" for each in metrics)

    def paint(axes: Axes) -> None:
        middles = []
        for group, metric in enumerate(metrics):
            middles.append(group * 4.2 + 1)
            for place, label in enumerate(LABELS):
                value, y = scorecard[metric][label], group * 4.2 + place
                axes.barh(y, 1, 0.78, color=SOFT)
                axes.barh(y, value, 0.78, color=CLASS[label])
                axes.text(1.03, y, percent(value), va="center", fontsize=10, color=MUTED)
        if gate is not None:
            axes.plot([gate, gate], [-0.7, 2.7], color=INK, linewidth=1.2)
            axes.text(gate, -1.25, f"gate {percent(gate, 0)}", ha="center", va="center", fontsize=9.5, color=MUTED)
        axes.set(xlim=(0, 1.33), ylim=(11.1, -1.8 if gate is not None else -0.7), yticks=middles)
        axes.set_yticklabels(["F1" if each == "f1" else each for each in metrics])
        axes.spines["bottom"].set_visible(False)
        axes.set_xticks([])

    return draw(name, told, 206, paint, NARROW)


def leaning_histogram(name: str, edges: Sequence[float], counts: Sequence[float]) -> Markup:
    """Products by what they say, from −1 (all towards the first class) to +1 (all towards the last)."""
    told = f"Histogram of {sum(counts):,.0f} products by leaning, from −1 to +1."

    def paint(axes: Axes) -> None:
        middles = [(low + high) / 2 for low, high in pairwise(edges)]
        colours = [CLASS[LABELS[0 if middle < -1 / 3 else 2 if middle > 1 / 3 else 1]] for middle in middles]
        axes.bar(middles, counts, width=(edges[1] - edges[0]) * 0.88, color=colours)
        axes.set(xlim=(edges[0], edges[-1]), xlabel="expected leaning of a product", ylabel="products")
        axes.set_xticks([-1, 0, 1], [f"−1 {LABELS[0]}", f"0 {LABELS[1]}", f"+1 {LABELS[2]}"])
        axes.tick_params(axis="y", labelcolor=MUTED)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")

    return draw(name, told, 220, paint)


def latency_histogram(
    name: str, edges: Sequence[float], counts: Sequence[float], percentiles: Mapping[str, float], gate: float | None
) -> Markup:
    """Answers by the milliseconds they took, percentiles and, where it is in sight, the gate drawn in."""
    told = f"Latency in ms: {', '.join(f'{key} {value:.3g}' for key, value in percentiles.items())}."

    def paint(axes: Axes) -> None:
        middles = [(low + high) / 2 for low, high in pairwise(edges)]
        axes.bar(middles, counts, width=(edges[1] - edges[0]) * 0.9, color=ACCENT)
        top = max(counts)
        marks = [(key.upper(), percentiles[key], INK) for key in ("p50", "p95", "p99") if key in percentiles]
        if gate is not None and gate <= edges[-1]:
            marks.append(("gate", gate, BAD))
        for row, (word, at, colour) in enumerate(mark for mark in marks if mark[1] <= edges[-1]):
            y = top * (1.42 - 0.12 * row)
            axes.plot([at, at], [0, y], color=colour, linewidth=1, linestyle=(0, (3, 2)))
            right = at < edges[0] + 0.75 * (edges[-1] - edges[0])
            beside = at + (0.012 if right else -0.012) * (edges[-1] - edges[0])
            axes.text(beside, y, f"{word} {at:.3g} ms", ha="left" if right else "right", va="center", fontsize=10)
        axes.set(xlim=(edges[0], edges[-1]), ylim=(0, top * 1.5), xlabel="milliseconds", yticks=[])

    return draw(name, told, 220, paint)


def mix_bars(name: str, live: Mapping[str, float], training: Mapping[str, float] | None) -> Markup:
    """The share of each class in live answers, beside that in training."""
    pairs = ", ".join(
        f"{k} {percent(v, 1)}" + (f" ({percent(training[k], 1)})" if training else "") for k, v in live.items()
    )

    def paint(axes: Axes) -> None:
        step = 2.6 if training else 1.4
        for row, label in enumerate(LABELS):
            axes.barh(row * step, live[label], 0.86, color=CLASS[label])
            axes.text(live[label] + 0.012, row * step, f"{percent(live[label], 1)} live", va="center", fontsize=10)
            if training:
                y = row * step + 0.98
                axes.barh(y, training[label], 0.86, color=CLASS[label], alpha=0.38)
                axes.text(
                    training[label] + 0.012,
                    y,
                    f"{percent(training[label], 1)} training",
                    va="center",
                    fontsize=10,
                    color=MUTED,
                )
        axes.set_yticks([row * step + (0.49 if training else 0) for row in range(len(LABELS))], list(LABELS))
        widest = max([*live.values(), *(training or {}).values()])
        axes.set(xlim=(0, widest * 1.55 or 1), ylim=(len(LABELS) * step - 0.6, -0.7))
        axes.spines["bottom"].set_visible(False)
        axes.set_xticks([])

    return draw(name, f"Share of each class, live (training): {pairs}.", 200, paint)


def drift_bars(name: str, psi: Mapping[str, float], limit: float | None) -> Markup:
    """PSI of each feature, the largest first, with the gate as a line; what passes it is coloured."""
    told = ", ".join(f"{key} {value:.3f}" for key, value in psi.items())

    def paint(axes: Axes) -> None:
        widest = max([*psi.values(), (limit or 0) * 1.08, 1e-6])
        for row, value in enumerate(psi.values()):
            over = limit is not None and not value <= limit
            axes.barh(row, widest, 0.7, color=SOFT)
            axes.barh(row, value, 0.7, color=BAD if over else ACCENT)
            axes.text(widest * 1.03, row, f"{value:.3f}", va="center", fontsize=10, color=BAD if over else MUTED)
        if limit is not None:
            axes.plot([limit, limit], [-0.6, len(psi) - 0.4], color=INK, linewidth=1.2)
            axes.text(limit, -1.05, f"gate {limit:g}", ha="center", va="center", fontsize=9.5, color=MUTED)
        axes.set_yticks(range(len(psi)), [key.replace("_", " ") for key in psi])
        axes.set(xlim=(0, widest * 1.2), ylim=(len(psi) - 0.3, -1.5))
        axes.spines["bottom"].set_visible(False)
        axes.set_xticks([])

    return draw(name, f"PSI by feature: {told}.", 44 + 21 * len(psi), paint)


def trial_dots(name: str, trials: Sequence[Mapping[str, Any]], xlabel: str, at: Sequence[float], log: bool) -> Markup:
    """Scores of trials against `at`: pruned ones hollow, trial 0 as a line, the best one large."""
    whole = [trial for trial in trials if not trial["pruned"]]
    best = max(whole, key=lambda trial: trial["value"])
    told = (
        f"Score of {len(trials)} trials by {xlabel}, from {min(t['value'] for t in trials):.4f} to {best['value']:.4f}."
    )

    def paint(axes: Axes) -> None:
        axes.axhline(trials[0]["value"], color=INK, linewidth=1, linestyle=(0, (3, 2)))
        for trial, x in zip(trials, at, strict=True):
            size = 60 if trial is best else 22
            face = "none" if trial["pruned"] else ACCENT
            axes.scatter([x], [trial["value"]], s=size, facecolor=face, edgecolor=MUTED if trial["pruned"] else ACCENT)
        if log:
            axes.set_xscale("log")
            axes.minorticks_off()
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")  # not 10², which would need TeX
        axes.set(xlabel=xlabel)
        axes.tick_params(axis="y", labelcolor=MUTED)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.3f}")

    return draw(name, told, 220, paint)
