"""What the command line costs: `retailops --help`, and an empty folder to a first served answer.

python -m benchmarks.cli [--repetitions 20] [--json]
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.measuring import Bar, checked, report, run

HELP_CPU_S = 0.15
FIRST_ANSWER_S = 30.0


def main() -> None:
    parser = argparse.ArgumentParser(description="What the command line costs.")
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    retailops = Path(sys.executable).with_name("retailops")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        helping = help_cost(retailops, folder, given.repetitions)
        project = folder / "project"
        project.mkdir()
        life = whole_life(retailops, project)
    report(
        [
            Bar("CPU of retailops --help", helping["retailops_cpu_s"], HELP_CPU_S, "at most", "s"),
            Bar("empty folder to first served answer", life["first_answer_s"], FIRST_ANSWER_S, "at most", "s"),
            Bar("entries left in the folder after teardown", life["left"], 0, "at most"),
        ],
        {"help": helping, "life": life},
        as_json=given.json,
    )


def help_cost(retailops: Path, folder: Path, repetitions: int) -> dict[str, float]:
    """Median CPU seconds, in turn with a Python that does nothing."""
    commands: dict[str, list[str | Path]] = {
        "retailops": [retailops, "--help"],
        "python": [sys.executable, "-c", "pass"],
    }
    for name, command in commands.items():  # the first run writes byte code
        checked(run(command, folder), name, folder)
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(repetitions):
        for name, command in commands.items():
            taken[name].append(run(command, folder).cpu_s)
    return {f"{name}_cpu_s": round(statistics.median(seconds), 3) for name, seconds in taken.items()}


def whole_life(retailops: Path, folder: Path) -> dict[str, Any]:
    """`init`, `run`, one request, `teardown`: the clock stops at the first right answer."""
    port = free_port()
    environ = {"RETAILOPS_DEPLOY__PORT": str(port)}
    began = time.perf_counter()
    checked(run([retailops, "init", "--quiet"], folder), "retailops init", folder)
    try:
        ran = checked(run([retailops, "run", "--yes", "--json"], folder, environ), "retailops run", folder)
        result = json.loads(ran.output)["result"]
        answer = ask(port, golden_basket(folder))
        first_answer = time.perf_counter() - began
    finally:
        gone = run([retailops, "teardown", "--yes", "--json"], folder, environ)
    checked(gone, "retailops teardown", folder)
    left = {path.name for path in folder.iterdir() if not path.name.startswith(".measured.")} - {"retail.yaml"}
    return {
        "first_answer_s": first_answer,
        "cpu_s": ran.cpu_s,
        "stages": {stage["stage"]: stage["seconds"] for stage in result["stages"]},
        "rows": result["etl"]["rows"],
        "accuracy": {name: round(card["accuracy"], 4) for name, card in result["train"]["scorecards"].items()},
        "answer": answer["prediction"],
        "teardown_s": round(gone.seconds, 2),
        "left": len(left),
    }


def golden_basket(folder: Path) -> bytes:
    """A basket that the bundle itself carries, to ask the live API for."""
    bundle = next(path.parent for path in sorted(folder.rglob("golden.json")))
    return json.dumps(json.loads((bundle / "golden.json").read_text())[0]["basket"]).encode()


def ask(port: int, body: bytes) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/predict", body, {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


if __name__ == "__main__":
    if not shutil.which("retailops", path=str(Path(sys.executable).parent)):
        raise SystemExit("retailops isn't installed beside this Python: make setup")
    main()
