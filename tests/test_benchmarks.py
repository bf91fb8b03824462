"""The benchmark page tells every bar with its verdict, and nothing that names the machine it ran on."""

from __future__ import annotations

import importlib
import socket
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("benchmarks.measuring")


@pytest.fixture
def page(measuring: ModuleType) -> ModuleType:
    return importlib.import_module("benchmarks.page")


def test_a_bar_is_met_missed_or_not_measured(measuring: ModuleType) -> None:
    bar = measuring.Bar
    assert bar("a", 0.99, 0.98, "at least").verdict == "pass"
    assert bar("a", 0.97, 0.98, "at least").verdict == "FAIL"
    assert bar("a", 31, 30, "at most", "s").verdict == "FAIL"
    assert bar("a", None, 30, "at most", "s").verdict == "not measured"


def test_the_page_shows_misses_and_names_no_machine(measuring: ModuleType, page: ModuleType) -> None:
    bars = [measuring.Bar("speed", 3.5, 4, "at least", "×"), measuring.Bar("gap", None, 1, "at most", note="no rows")]
    text = page.page({"etl": {"bars": bars, "detail": {}}})
    assert "| speed | 3.50 × | at least 4.00 × | **FAIL** |" in text
    assert "not measured (no rows)" in text
    assert socket.gethostname() not in text
    assert str(ROOT) not in text


def test_a_program_is_measured_from_outside(measuring: ModuleType, tmp_path: Path) -> None:
    code = "import sys; block = b'x' * 80_000_000; sum(range(2_000_000)); print('done'); sys.exit(3)"
    ran = measuring.run([sys.executable, "-c", code], tmp_path)
    assert (ran.code, ran.output) == (3, "done\n")
    # Whatever this process has grown to: only the program's own memory counts.
    ballast = bytearray(400_000_000)
    assert 80 < measuring.run([sys.executable, "-c", code], tmp_path).peak_mb < 80 + 60
    del ballast
    assert 0 < ran.cpu_s <= ran.seconds * 4


def test_without_real_rows_their_bars_are_not_measured(
    page: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RETAILOPS_REAL_DATA", raising=False)
    monkeypatch.setattr(sys, "argv", ["model"])
    importlib.import_module("benchmarks.model").main()
    verdicts = {line[:12] for line in capsys.readouterr().out.splitlines() if "at " in line}
    assert verdicts == {"not measured"}
