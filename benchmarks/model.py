"""How good the models are on the real rows, and what training all four costs.

    RETAILOPS_REAL_DATA=FOLDER python -m benchmarks.model [--json]

FOLDER holds the weekly CSV files of 2006 and 2007. Trained on the weeks to 200741, judged on 200742 to 200752, three
times: with everything, with 20,000 training baskets, and with a quarter of the training labels drawn again uniformly
(the test labels stay as they are).
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from benchmarks.measuring import REAL_DATA, Bar, Ran, report, worker

ALGORITHMS = ["decision_tree", "random_forest", "logistic_regression", "xgboost"]
LAST_TRAINING_WEEK, LAST_WEEK = 200741, 200752
FEW = 20_000
REDRAWN = 0.25
# case → (least accuracy, macro F1 and precision of each class, of each algorithm)
CASES = {
    "all training baskets": 0.995,
    f"{FEW:,} training baskets": 0.98,
    f"{REDRAWN:.0%} of training labels redrawn": 0.99,
}
SECONDS, MEGABYTES = 300, 4_000


def main() -> None:
    parser = argparse.ArgumentParser(description="Model quality on real rows, and the cost of training.")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    named = os.environ.get(REAL_DATA)
    if not named:
        report(bars({}, None), {}, as_json=given.json)
        return
    with tempfile.TemporaryDirectory() as temporary:
        scorecards, training, detail = measure(Path(named), Path(temporary))
    report(bars(scorecards, training), detail, as_json=given.json)


def measure(real: Path, folder: Path) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    """case → algorithm → scorecard; what training everything cost; and the figures behind the bars."""
    source = chosen_weeks(real, folder / "source")
    etl, made = worker("etl", {"source": source}, folder / "dataset", {"threads": 2, "memory_mb": 700})
    dataset = folder / "dataset"
    test_weeks = sum(LAST_TRAINING_WEEK < week <= LAST_WEEK for week in made["weeks"])
    common = {"algorithms": ALGORITHMS, "test_weeks": test_weeks, "threads": 2}
    full, few, noisy = CASES
    scorecards: dict[str, Any] = {}
    costs: dict[str, Ran] = {}
    learned: dict[str, Any] = {}
    for case, more in ((full, {}), (few, {"max_baskets": FEW}), (noisy, {})):
        if case == noisy:
            redraw_labels(dataset)
        ran, result = worker("train", {"dataset": dataset}, folder / f"run{len(costs)}", {**common, **more})
        scorecards[case] = {name: run["scorecard"] for name, run in result["runs"].items()}
        costs[case] = ran
        leanings = result["leanings"]
        learned[case] = {"split": result["split"], **{name: leanings[name] for name in ("noise", "weight", "link")}}
    detail = {
        "rows": made["rows"],
        "etl_s": round(etl.seconds, 1),
        "cost": {
            case: {"seconds": round(ran.seconds, 1), "peak_mb": round(ran.peak_mb)} for case, ran in costs.items()
        },
        "scores": {
            case: {
                name: {
                    key: card[key] for key in ("accuracy", "macro_f1", "precision", "baskets", "pricing_error_change")
                }
                for name, card in cards.items()
            }
            for case, cards in scorecards.items()
        },
        "learned": learned,
    }
    return scorecards, costs[full], detail


def chosen_weeks(real: Path, folder: Path) -> Path:
    """A folder of links to the weekly files up to the last week, whatever else lies beside them."""
    folder.mkdir()
    for path in sorted(real.iterdir()):
        found = re.fullmatch(r"transactions_(\d{6})\.csv", path.name)
        if found and int(found.group(1)) <= LAST_WEEK:
            (folder / path.name).symlink_to(path.resolve())
    return folder


def redraw_labels(dataset: Path, seed: int = 7) -> None:
    """Draw a share of the training baskets' labels again, uniformly; the test baskets and XX stay as they are."""
    rng = np.random.default_rng(seed)
    for path in sorted((dataset / "gold").rglob("*.parquet")):
        gold = duckdb.read_parquet(str(path)).to_arrow_table()
        labels = np.array(gold["label"].to_pylist(), dtype=object)
        weeks = gold["shop_week"].to_numpy()
        again = (rng.random(len(labels)) < REDRAWN) & (weeks <= LAST_TRAINING_WEEK) & (labels != "XX")
        labels[again] = rng.choice(np.array(["LA", "MM", "UM"], dtype=object), int(again.sum()))
        changed = gold.set_column(gold.schema.get_field_index("label"), "label", [labels.tolist()])
        duckdb.from_arrow(changed).write_parquet(str(path))


def worst(card: Mapping[str, Any]) -> float:
    """The lowest of accuracy, macro F1 and the precisions."""
    return float(min(card["accuracy"], card["macro_f1"], *card["precision"].values()))


def bars(scorecards: Mapping[str, Any], training: Any) -> list[Bar]:
    note = "" if scorecards else f"no real rows: {REAL_DATA} isn't set"
    found = [
        Bar(
            f"{name}, {case}: least of accuracy, macro F1, precision per class",
            worst(scorecards[case][name]) if scorecards else None,
            limit,
            "at least",
            note=note,
        )
        for case, limit in CASES.items()
        for name in ALGORITHMS
    ]
    return [
        *found,
        Bar("training all four on real rows", training and training.seconds, SECONDS, "at most", "s", note),
        Bar("peak memory of that training", training and training.peak_mb, MEGABYTES, "at most", "MB", note),
    ]


if __name__ == "__main__":
    main()
