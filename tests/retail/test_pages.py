"""The report pages: whole without a network, every text escaped, missing parts left out."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from retailops.retail.columns import LABELS
from retailops.retail.gates import Gate, of_scorecard
from retailops.retail.pages import monitor_page, training_page, tuning_page
from retailops.retail.pages.html import markup, number, percent, tag
from retailops.retail.scorecard import score

LIMITS = {"accuracy": 0.75, "macro_f1": 0.7, "precision": 0.65, "pricing_error": -0.1}
VOID = {"meta", "br", "hr", "img", "link"}


def scorecard(errors: int) -> dict[str, Any]:
    """300 baskets, 100 of each class, of which the first `errors` are answered with the next class."""
    truth = np.arange(300) % 3
    predicted = np.where(np.arange(300) < errors, (truth + 1) % 3, truth)
    return score(truth, predicted, np.ones(300))


def training(**changes: Any) -> dict[str, Any]:
    cards = {"decision_tree": scorecard(12), "xgboost": scorecard(1), "random_forest": scorecard(150)}
    return {
        "project": "retail-demo",
        "dataset": "0123456789abcdef",
        "scorecards": cards,
        "baselines": {
            "majority": score(np.arange(300) % 3, np.ones(300, int), np.ones(300)),
            "seed_features": scorecard(160),
        },
        "gates": {name: [gate.as_dict() for gate in of_scorecard(card, LIMITS)] for name, card in cards.items()},
        "rows": {"raw": 9000, "silver": 8990, "quarantined": 7, "duplicates": 3, "gold": 2000},
        "weeks": [200607, 200608, 200609],
        "split": {
            "unit": "week",
            "test_from": 200609,
            "train_baskets": 1650,
            "test_baskets": 300,
            "unclassified_baskets": 50,
        },
        "leanings": {
            "noise": 0.248,
            "weight": "one",
            "products": 40,
            "products_by_leaning": {"LA": 10, "MM": 20, "UM": 8, "no_say": 2},
            "link": {"threshold_la": -0.227, "threshold_um": 0.183},
            "likelihoods": {"one": -0.2131, "quantity": -0.3312, "spend": -0.4120},
            "histogram": {"edges": [-1, -0.5, 0, 0.5, 1], "counts": [10, 11, 11, 8]},
            "decided": {label: [{"product": f"PRD-{label}", "probability": 0.99}] for label in LABELS},
        },
        **changes,
    }


def tuning(**changes: Any) -> dict[str, Any]:
    tried = [(1, 0.5, "entropy", 0.80, False), (9, 0.001, "gini", 0.95, False), (3, 0.1, "gini", 0.60, True)]
    trials = [
        {
            "trial": number,
            "value": value,
            "parameters": {"max_depth": depth, "rate": rate, "criterion": word},
            "scores": [value] if pruned else [value, value],
            "pruned": pruned,
            "seconds": 0.1,
        }
        for number, (depth, rate, word, value, pruned) in enumerate(tried)
    ]
    return {
        "algorithm": "decision_tree",
        "project": "retail-demo",
        "dataset": "0123456789abcdef",
        "run": "abcdef012345",
        "trials": trials,
        "folds": [{"unit": "week", "first": 200608, "last": 200609, "learned": 1000, "judged": 2000}],
        "stopped": False,
        "best": 1,
        "gain": 0.15,
        "standard_error": 0.01,
        "improved": True,
        "tuned": {"max_depth": 9},
        **changes,
    }


def monitoring(**changes: Any) -> dict[str, Any]:
    gates = [Gate("P95 ms", 3.1, 200, "at most"), Gate("drift of leaning_score (PSI)", 0.31, 0.25, "at most")]
    return {
        "version": 3,
        "url": "http://127.0.0.1:8080",
        "window_hours": 24.0,
        "requests": 1010,
        "statuses": {"200": 1000, "422": 8, "500": 2},
        "error_rate": 2 / 1010,
        "predictions": 1000,
        "latency_ms": {"p50": 1.2, "p90": 2.5, "p95": 3.1, "p99": 4.9},
        "latency_histogram": {"edges_ms": [0, 2, 4, 6], "counts": [700, 250, 50]},
        "mix": {"LA": 0.31, "MM": 0.47, "UM": 0.22},
        "training_mix": {"LA": 0.23, "MM": 0.52, "UM": 0.25},
        "coverage": 0.973,
        "psi": {"lines": 0.01, "leaning_score": 0.31},
        "gates": [gate.as_dict() for gate in gates],
        **changes,
    }


class Reader(HTMLParser):
    """Collects ids, references and text, and fails on tags that don't close each other."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.sections: list[str] = []
        self.text = ""

    def handle_starttag(self, name: str, attrs: list[tuple[str, str | None]]) -> None:
        if name not in VOID:
            self.open.append(name)
        values = {key: value or "" for key, value in attrs}
        self.ids += [values["id"]] if "id" in values else []
        self.references += [values[key] for key in ("href", "src", "xlink:href") if key in values]
        self.references += re.findall(r"url\(([^)]*)\)", " ".join(values.values()))

    def handle_startendtag(self, name: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(name, attrs)
        if name not in VOID:
            self.open.pop()

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["h2"]:
            self.sections.append(data)
        if "style" not in self.open:
            self.text += data + " "


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return {
        "training": training_page(training()),
        "tuning": tuning_page(tuning()),
        "monitoring": monitor_page(monitoring()),
    }


@pytest.mark.parametrize("name", ["training", "tuning", "monitoring"])
def test_a_page_is_whole_and_loads_nothing(pages: dict[str, str], name: str) -> None:
    page = pages[name]
    reader = read(page)
    assert page.startswith("<!DOCTYPE html>\n<html lang=")
    assert len(reader.ids) == len(set(reader.ids)), "ids are unique although the plots were drawn apart"
    assert {reference.lstrip("#") for reference in reader.references} <= set(reader.ids)
    assert "default-src 'none'" in page
    assert not re.search(r"<script|@import|<\?xml|<metadata|DejaVu", page)


@pytest.mark.parametrize("name", ["training", "tuning", "monitoring"])
def test_plots_take_their_colours_from_the_page_so_dark_mode_reaches_them(pages: dict[str, str], name: str) -> None:
    plots = re.findall(r"<svg.*?</svg>", pages[name], flags=re.DOTALL)
    assert plots
    for plot in plots:
        assert "var(--" in plot
        assert set(re.findall(r"#[0-9a-f]{6}\b", plot)) <= {"#ffffff"}
    assert "prefers-color-scheme: dark" in pages[name]


def test_the_training_page_tells_the_verdict_the_figures_and_the_baselines(pages: dict[str, str]) -> None:
    text = " ".join(read(pages["training"]).text.split())
    assert "2 of 3 algorithms pass every gate" in text
    assert "Best xgboost 1 of 300 baskets wrong" in text
    assert "xgboost best 99.67 %" in text
    assert "random forest 50.00 %" in text
    assert "6 of 6 missed" in text
    assert "majority always the commonest class 33.33 % 16.67 % 0.00 % 0.0 % 200" in text
    assert "seed features nine plain columns" in text
    assert "24.8 % of labels look drawn at random" in text
    assert "PRD-UM 99.0 %" in text
    assert "Unclassified (XX), left out 50" in text
    assert "doesn't measure how a shopper would respond to a price" in text


def test_the_matrix_shows_true_classes_in_rows(pages: dict[str, str]) -> None:
    matrix = re.findall(r'<table class="confusion">.*?</table>', pages["training"])[0]
    counts = re.findall(r"<b>(\d+)</b>", matrix)
    assert [counts[0:3], counts[3:6], counts[6:9]] == [["96", "4", "0"], ["0", "96", "4"], ["4", "0", "96"]]


def test_the_tuning_page_tells_what_was_tried_and_what_came_of_it(pages: dict[str, str]) -> None:
    text = " ".join(read(pages["tuning"]).text.split())
    assert "decision tree: better parameters found" in text
    assert "3 sets of parameters tried, 1 of them pruned." in text
    assert "Gain 0.15 ± 0.01 standard error" in text
    assert "1 best 0.9500 9 0.001 gini 0 without tuning 0.8000 1 0.5 entropy 2 pruned 0.6000" in text
    assert "week 200608 … 200609 1,000 2,000" in text
    assert "abcdef012345" in text
    assert "math" not in text, "powers of ten on a logarithmic axis are numbers"
    assert pages["tuning"].count("<svg") == 3, "the trials in order, and a plot for each parameter that is a number"
    kept = read(tuning_page(tuning(improved=False, stopped=True))).text
    assert "the usual parameters are as good" in kept and "it ended early" in kept


def test_the_monitoring_page_tells_what_is_wrong(pages: dict[str, str]) -> None:
    text = " ".join(read(pages["monitoring"]).text.split())
    assert "1 of 2 gates missed: drift of leaning score (PSI)" in text
    assert "Model version 3 at http://127.0.0.1:8080 over the last 24 hours." in text
    assert "P95 3.1 ms" in text
    assert "HTTP 500 2 (0.20 %)" in text
    assert "LA High +8.0 points" in text
    assert "gate 0.25" in text


def test_missing_parts_are_left_out() -> None:
    bare = read(training_page({"scorecards": {"xgboost": scorecard(3)}}))
    assert bare.sections == ["Side by side", "What was taken for what", "How to read this"]
    assert "gate" not in bare.text.lower()
    assert "Data" in read(training_page(training(leanings=None))).sections
    assert "Leanings" not in read(training_page(training(leanings=None))).sections
    quiet = read(
        monitor_page({"version": 1, "requests": 0, "latency_ms": {"p95": 0.0}, "mix": dict.fromkeys(LABELS, 0.0)})
    )
    assert (quiet.sections, "Nobody has asked anything yet" in quiet.text) == ([], True)
    few = read(monitor_page(monitoring(psi={}, coverage=None, training_mix=None, gates=[])))
    assert few.sections == ["Requests", "Against training"]


def test_every_text_from_outside_is_escaped() -> None:
    evil = "<img src=x onerror=alert(1)> & $x$ \"'"
    cards = {evil: scorecard(3)}
    gates = {evil: [{"name": evil, "value": 1.0, "limit": 2.0, "ok": False, "direction": evil}]}
    leanings = {"weight": evil, "noise": 0.1, "decided": {evil: [{"product": evil, "probability": 0.9}]}}
    changes = {"project": evil, "dataset": evil, "baselines": {evil: scorecard(9)}, "leanings": leanings}
    first = training_page(training(scorecards=cards, gates=gates, **changes))
    second = monitor_page(
        monitoring(version=evil, url=evil, project=evil, statuses={evil: 3}, psi={evil: 0.5}, gates=gates[evil])
    )
    tried = [{**trial, "parameters": {evil: evil}} for trial in tuning()["trials"]]
    third = tuning_page(tuning(algorithm=evil, project=evil, run=evil, trials=tried))
    for page in (first, second, third):
        assert "<img" not in page
        assert "alert(1)" in read(page).text
        assert "$x$" in read(page).text


def test_the_same_result_gives_the_same_page() -> None:
    assert training_page(training()) == training_page(training())
    assert tuning_page(tuning()) == tuning_page(tuning())
    assert monitor_page(monitoring()) == monitor_page(monitoring())


def test_a_share_below_one_is_never_rounded_to_one() -> None:
    assert percent(7 / 78_937) == "0.01 %"
    assert percent(1 - 1 / 78_937) == "99.999 %"
    assert (percent(1.0), percent(0.0), percent(1e-5), percent(None)) == ("100.00 %", "0.00 %", "0.001 %", "–")
    assert (percent(-0.1, 0), percent(float("nan"))) == ("−10 %", "–")


def test_numbers_are_written_for_people() -> None:
    assert [number(value) for value in (1234567, 0.98765, -0.1, 3.0, 12345.6, None)] == [
        "1,234,567",
        "0.9877",
        "−0.1",
        "3",
        "12,346",
        "–",
    ]


def test_elements_escape_text_and_attributes_but_not_elements() -> None:
    assert (
        tag("p", "<", tag("b", "&"), None, data_name='"', class_=None) == '<p data-name="&quot;">&lt;<b>&amp;</b></p>'
    )
    assert markup("a", "<") == "a&lt;"
