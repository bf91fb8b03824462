"""How a benchmark runs a program (wall and CPU seconds, peak memory) and what a bar is: a figure beside its limit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

REAL_DATA = "RETAILOPS_REAL_DATA"


@dataclass(frozen=True)
class Bar:
    """One promise: what was measured (None: it wasn't, and `note` says why) and its limit."""

    name: str
    figure: float | None
    limit: float
    sense: str  # "at least" or "at most"
    unit: str = ""
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.figure is None:
            return "not measured"
        met = self.figure >= self.limit if self.sense == "at least" else self.figure <= self.limit
        return "pass" if met else "FAIL"


@dataclass(frozen=True)
class Ran:
    """A finished program. `peak_mb` is the largest resident set of any one of its processes, in MB (10^6 bytes)."""

    seconds: float
    cpu_s: float
    peak_mb: float
    code: int
    output: str


# A process starts with the peak of the one that forked it on its record: measured from a large test runner, everything
# would look large. So a small process stands between, and reports what its only child used.
_BETWEEN = """
import json, os, sys
child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(child, 0)
record = {"cpu_s": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss, "code": os.waitstatus_to_exitcode(status)}
with open(sys.argv[1], "w") as file:
    json.dump(record, file)
"""


def run(command: Sequence[str | Path], folder: Path, environ: Mapping[str, str] | None = None) -> Ran:
    """Run to its end in `folder`, output kept in a file there so that no pipe can fill."""
    captured, record = folder / ".measured.out", folder / ".measured.json"
    record.unlink(missing_ok=True)
    with captured.open("w+") as stream, (folder / ".measured.err").open("w") as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", _BETWEEN, str(record), *map(str, command)],
            cwd=folder,
            env={**os.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=errors,
            start_new_session=True,
        )
        try:
            process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        seconds = time.perf_counter() - began
        stream.seek(0)
        output = stream.read()
    if not record.exists():
        raise SystemExit(f"{command[0]} couldn't be started:\n{(folder / '.measured.err').read_text()[-2000:]}")
    used = json.loads(record.read_text())
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss: bytes there, KiB here
    return Ran(seconds, used["cpu_s"], used["peak"] * unit / 1e6, used["code"], output)


def checked(ran: Ran, what: str, folder: Path) -> Ran:
    """The same, or an end with what the program said last."""
    if ran.code != 0:
        said = ran.output + (folder / ".measured.err").read_text()
        raise SystemExit(f"{what} ended with {ran.code}:\n{said[-2000:]}")
    return ran


def worker(kind: str, inputs: Mapping[str, Path], output: Path, parameters: Mapping[str, Any]) -> tuple[Ran, Any]:
    """One job in a process of its own, as every target runs it; its figures and its result."""
    output.parent.mkdir(parents=True, exist_ok=True)
    options = output.with_suffix(".json")
    options.write_text(json.dumps(parameters))
    named = [part for name, path in inputs.items() for part in ("--input", f"{name}={path}")]
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "retailops.worker",
        kind,
        *named,
        "--output",
        output,
        "--parameters",
        options,
    ]
    ran = checked(run(command, output.parent), f"the {kind} job", output.parent)
    return ran, json.loads((output / "result.json").read_text())


def report(bars: Sequence[Bar], detail: Mapping[str, Any], *, as_json: bool) -> None:
    """Print one benchmark's figures, for a person or for `python -m benchmarks`."""
    if as_json:
        print(json.dumps({"bars": [asdict(bar) for bar in bars], "detail": detail}))
        return
    for bar in bars:
        limit = f"{bar.sense} {shown(bar.limit, bar.unit)}"
        print(f"{bar.verdict:12}  {bar.name}: {shown(bar.figure, bar.unit)} ({limit}) {bar.note}")
    print(json.dumps(detail, indent=2))


def shown(value: float | None, unit: str) -> str:
    """A figure as a person reads it."""
    if value is None:
        return "-"
    if unit == "%":
        return f"{value:.1%}"
    if unit == "×":
        return f"{value:.2f} ×"
    if not unit:
        return f"{value:.5f}".rstrip("0").rstrip(".")
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text} {unit}"
