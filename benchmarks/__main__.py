"""Runs the benchmarks one after another and writes docs/benchmarks.md: every bar with its figure, met or not.

    python -m benchmarks [etl model serving image cli] [--output docs/benchmarks.md]

Without names all run. What needs real rows is "not measured" unless RETAILOPS_REAL_DATA names their folder. Keep the
machine quiet meanwhile; compare the ratios of one run, never seconds of two.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measuring import Bar, run
from benchmarks.page import page

ROOT = Path(__file__).resolve().parent.parent
SUITES = ("etl", "model", "serving", "image", "cli")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure, and write docs/benchmarks.md.")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(SUITES)}; all when none is named")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "benchmarks.md")
    given = parser.parse_args()
    if unknown := sorted(set(given.suites) - set(SUITES)):
        parser.error(f"no benchmark is called {unknown[0]}; there are {', '.join(SUITES)}")
    chosen = [suite for suite in SUITES if suite in given.suites or not given.suites]
    found = {}
    for suite in chosen:
        print(f"{suite} …", file=sys.stderr, flush=True)
        found[suite] = measured(suite)
        for bar in found[suite]["bars"]:
            print(f"  {bar.verdict:12}  {bar.name}", file=sys.stderr)
    text = page(found)
    if set(chosen) == set(SUITES):
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_text(text)
        print(f"written: {given.output}", file=sys.stderr)
    else:
        print(text)
    if any(bar.verdict == "FAIL" for suite in found.values() for bar in suite["bars"]):
        raise SystemExit(1)


def measured(suite: str) -> dict[str, Any]:
    """{"bars": [Bar], "detail": …} of one benchmark, run in a process of its own; a failure to run is told as such."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        ran = run([sys.executable, "-m", f"benchmarks.{suite}", "--json"], folder, {"PYTHONPATH": str(ROOT)})
        if ran.code != 0:
            said = (folder / ".measured.err").read_text().strip().splitlines()
            print("\n".join(said[-20:]), file=sys.stderr)
            return {
                "bars": [Bar(f"{suite} runs to its end", None, 0, "at most", note="it failed to run")],
                "detail": {},
            }
    result = json.loads(ran.output[ran.output.index("{") :])
    if "bars" in result:
        return {"bars": [Bar(**bar) for bar in result["bars"]], "detail": result["detail"]}
    return {"bars": BARS[suite](result), "detail": result}


def _serving(result: dict[str, Any]) -> list[Bar]:
    what = f"requests/s of a bare ASGI POST ({result['algorithm']}, {result['lines']} lines)"
    return [
        Bar(what, result["ratio"], result["bar"], "at least", "%"),
        Bar("failed requests under load", result["retailops"]["failed"], 0, "at most"),
    ]


# Benchmarks that tell their figures but not what they must reach.
BARS = {"serving": _serving}

if __name__ == "__main__":
    main()
