"""The benchmark page: the machine, the bars, and the figures behind them, as Markdown."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
from benchmarks.measuring import shown

LIBRARIES = (
    "duckdb",
    "fastapi",
    "numpy",
    "onnxruntime",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "uvicorn",
    "xgboost-cpu",
    "xgboost",
)
TITLES = {"etl": "ETL", "model": "Models on real rows", "serving": "Serving", "image": "Images", "cli": "Command line"}

HEAD = """# Benchmarks

Written by `make bench`; don't edit. Seconds depend on the machine and on what else it does: compare ratios of one run.
A bar that isn't met says so.
"""


def page(found: Mapping[str, Any]) -> str:
    """suite → {"bars": [Bar], "detail": …} as one Markdown page."""
    parts = [HEAD, "## Machine\n", table(("", ""), machine()), "## Bars\n", bars(found)]
    for suite, result in found.items():
        if result["detail"]:
            parts += [f"## {TITLES[suite]}\n", DETAILS.get(suite, as_json)(result["detail"])]
    return "\n".join(parts)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---"] + ["---:" if len(head) > 2 else "---"] * (len(head) - 1)
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, rule, *rows))


def machine() -> list[tuple[str, str]]:
    """What the figures depend on; nothing that names this machine or its folders."""
    versions = []
    for name in LIBRARIES:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return [
        ("processor", f"{processor()}, {psutil.cpu_count()} logical cores"),
        ("memory", f"{psutil.virtual_memory().total / 1e9:.0f} GB"),
        ("system", f"{platform.system()} {platform.machine()}"),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("libraries", ", ".join(versions)),
        ("load at the end", f"{psutil.getloadavg()[0]:.1f} over the last minute"),
    ]


def processor() -> str:
    if sys.platform == "darwin":
        asked = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False
        )
        return asked.stdout.strip() or platform.processor()
    try:
        with Path("/proc/cpuinfo").open() as lines:
            named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        named = []
    return named[0] if named else platform.machine()


def bars(found: Mapping[str, Any]) -> str:
    rows = [
        (
            bar.name,
            shown(bar.figure, bar.unit),
            f"{bar.sense} {shown(bar.limit, bar.unit)}",
            f"**{bar.verdict}**" if bar.verdict == "FAIL" else bar.verdict + (f" ({bar.note})" if bar.note else ""),
        )
        for suite in found.values()
        for bar in suite["bars"]
    ]
    return table(("what", "figure", "limit", ""), rows)


def model(detail: Mapping[str, Any]) -> str:
    scores = [
        (
            f"{case}: {name}",
            f"{card['accuracy']:.5f}",
            f"{card['macro_f1']:.5f}",
            *(f"{card['precision'][label]:.5f}" for label in ("LA", "MM", "UM")),
            f"{card['pricing_error_change']:.2%}",
        )
        for case, cards in detail["scores"].items()
        for name, card in cards.items()
    ]
    head = ("", "accuracy", "macro F1", "precision LA", "MM", "UM", "pricing error vs. one price")
    costs = [
        (case, f"{cost['seconds']:.1f}", f"{cost['peak_mb']:,}", f"{detail['learned'][case]['noise']:.3f}")
        for case, cost in detail["cost"].items()
    ]
    rows = detail["rows"]
    first = next(iter(next(iter(detail["scores"].values())).values()))
    return (
        f"{rows['raw']:,} rows, {rows['gold']:,} baskets; "
        f"judged on the {first['baskets']:,} labelled baskets of later weeks.\n\n"
        + table(head, scores)
        + "\nTraining all four, reading the dataset included, in one process:\n\n"
        + table(("", "seconds", "peak MB", "label noise found"), costs)
    )


def etl(detail: Mapping[str, Any]) -> str:
    rows = [
        (name, f"{ran['wall_s']:.2f}", f"{ran['cpu_s']:.2f}", f"{ran['peak_mb']:,}")
        for name, ran in detail["runs"].items()
    ]
    counts = detail["rows"]["weekly files"]
    return (
        f"{counts['raw']:,} rows in; {counts['silver']:,} in silver, {counts['gold']:,} baskets in gold. "
        "Medians of interleaved runs, each in a process of its own.\n\n"
        + table(("", "wall s", "CPU s", "peak MB"), rows)
    )


def serving(detail: Mapping[str, Any]) -> str:
    columns = list(detail["retailops"])
    rows = [(name, *(f"{detail[name][key]:,}" for key in columns)) for name in ("bare", "retailops")]
    low, high = detail["ratio_range"]
    return table(("", *(key.replace("_", " ") for key in columns)), rows) + (
        f"\nRatio {detail['ratio']:.1%} ({low:.1%} to {high:.1%} over {detail['repetitions']} interleaved "
        f"repetitions), {detail['connections']} connections, load from {detail['load']}, "
        f"{'one core each' if detail['pinned'] else 'sharing cores'}.\n"
    )


def cli(detail: Mapping[str, Any]) -> str:
    life, helping = detail["life"], detail["help"]
    stages = [(name, f"{seconds:.2f}") for name, seconds in life["stages"].items()]
    return (
        f"`retailops --help`: {helping['retailops_cpu_s']:.3f} s of CPU; Python doing nothing: "
        f"{helping['python_cpu_s']:.3f} s.\n\n`retailops run` on {life['rows']['raw']:,} synthetic rows "
        f"({life['rows']['gold']:,} baskets), seconds a stage (making the data is part of etl):\n\n"
        + table(("stage", "seconds"), stages)
        + f"\nCPU of the whole run: {life['cpu_s']:.1f} s. Teardown: {life['teardown_s']:.2f} s.\n"
    )


def as_json(detail: Mapping[str, Any]) -> str:
    return f"```json\n{json.dumps(detail, indent=2, sort_keys=True)}\n```\n"


def image(detail: Mapping[str, Any]) -> str:
    rows = [
        (
            name,
            f"{found['pulled_mb']:,}" if found["pulled_mb"] else "-",
            f"{found['unpacked_mb']:,}",
            str(found["packages"]),
            f"{found['packages_mb']:,}",
            ", ".join(f"{package} {size:g}" for package, size in found["largest"].items()),
        )
        for name, found in detail.items()
    ]
    return (
        "The image of jobs holds what training needs: what the API would carry along if it were served with it.\n\n"
        + table(("image", "MB to pull", "MB unpacked", "packages", "their MB", "largest"), rows)
    )


DETAILS = {"etl": etl, "model": model, "serving": serving, "image": image, "cli": cli}
