"""However a command ends: one object or calm text, the right exit code, nothing unexpected on either stream."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from retailops.cli.call import Call
from retailops.cli.command import Answer, finish
from retailops.cli.flags import Flags
from retailops.cli.output import missing_library, plain
from retailops.errors import BY_CODE, GateFailed, RetailOpsError
from retailops.lifecycle.outcome import Outcome
from retailops.ports import Change


def ended(body: Callable[[Call], Answer], **flags: bool) -> int:
    call = Call("toy", Flags(**flags))
    return finish(call, lambda: body(call))


def view(console, result):
    console.print(f"seen: {result}")


@pytest.mark.parametrize("code", BY_CODE)
def test_an_error_ends_with_its_exit_code(code, capsys):
    def body(call):
        raise BY_CODE[code]("It broke.\nin two places", "Mend it.\nThen go on.")

    assert ended(body) == code
    assert capsys.readouterr() == ("", "error: It broke.\n  in two places\n  → Mend it.\n    Then go on.\n")
    assert ended(body, json=True) == code
    out, err = capsys.readouterr()
    assert json.loads(out)["error"] == {
        "code": code,
        "what": "It broke.\nin two places",
        "fix": "Mend it.\nThen go on.",
    }
    assert err == ""


def test_a_failed_gate_shows_the_result_and_the_error(capsys):
    change = Change("create", "folder", "here", "why", 1.5)
    outcome = Outcome({"accuracy": 0.5}, (change,), failed=GateFailed("Too low.", "Train more."))
    assert ended(lambda call: Answer(outcome, view)) == 4
    out, err = capsys.readouterr()
    assert out == "seen: {'accuracy': 0.5}\n" and "error: Too low." in err
    assert ended(lambda call: Answer(outcome, view), json=True) == 4
    document = json.loads(capsys.readouterr().out)
    assert document == {
        "command": "toy",
        "target": None,
        "ok": False,
        "result": {"accuracy": 0.5},
        "changes": [
            {
                "action": "create",
                "kind": "folder",
                "name": "here",
                "detail": "why",
                "monthly_usd": 1.5,
                "priced": True,
                "fix": "",
            }
        ],
        "error": {"code": 4, "what": "Too low.", "fix": "Train more."},
    }


def test_an_unexpected_error_is_one_line_and_a_log(capsys):
    def body(call):
        raise ZeroDivisionError("a secret of ours")

    assert ended(body) == 1
    out, err = capsys.readouterr()
    assert out == "" and "Traceback" not in err
    assert err.startswith("error: Unexpected ZeroDivisionError: a secret of ours\n")
    log = Path(err.split("the traceback is in ")[1].split(" (or")[0])
    assert "ZeroDivisionError" in log.read_text()
    log.unlink()


def test_a_library_that_is_not_installed_is_told_with_the_way_to_get_it(capsys):
    def body(call):
        import a_library_that_nobody_has.part  # noqa: F401

    assert ended(body) == 3
    assert "The library a_library_that_nobody_has isn't installed" in (err := capsys.readouterr().err)
    assert "pip install 'retailops'" in err
    missing = missing_library(ModuleNotFoundError(name="botocore.exceptions"), "aws")
    assert missing is not None and "pip install 'retailops[aws]'" in missing.fix
    assert missing_library(ModuleNotFoundError(name="retailops.nothing"), "aws") is None
    assert missing_library(ImportError("a name that has gone"), "aws") is None


def test_debug_shows_the_traceback(capsys):
    def body(call):
        raise ZeroDivisionError

    assert ended(body, debug=True) == 1
    assert "Traceback" in capsys.readouterr().err


def test_what_a_library_prints_does_not_spoil_the_json(capsys):
    def body(call):
        print("hello from a library")
        call.progress.stage("working")
        return Answer(Outcome({}), view)

    assert ended(body, json=True) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["ok"] is True
    assert err == "hello from a library\nWorking\n"


def test_quiet_says_nothing_on_the_way(capsys):
    def body(call):
        call.progress.stage("working", 10, "rows")
        call.progress.advance(10)
        call.progress.note("a note")
        return Answer(Outcome({}), view)

    assert ended(body, quiet=True) == 0
    assert capsys.readouterr() == ("seen: {}\n", "")


def test_no_next_command_is_named_in_a_pipe(capsys):
    assert ended(lambda call: Answer(Outcome({}), view, next="retailops etl")) == 0
    assert "next" not in capsys.readouterr().out


def test_results_become_plain_json():
    import numpy as np

    given = {"path": Path("a"), 1: np.float64(0.5), "n": np.int64(3), "nan": float("nan"), "day": date(2026, 1, 2)}
    assert plain(given | {"t": (1, {2})}) == {
        "path": "a",
        "1": 0.5,
        "n": 3,
        "nan": None,
        "day": "2026-01-02",
        "t": [1, [2]],
    }
    with pytest.raises(TypeError):
        plain(object())


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    done = subprocess.run(
        f"{sys.executable} -m retailops config schema | head -c 10",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert len(done.stdout) == 10


TOY = """
import signal, sys, threading
from retailops.cli.call import Call
from retailops.cli.command import finish
from retailops.cli.flags import Flags

def body():
    call.progress.stage("working")
    signal.pause()

call = Call("toy", Flags(json={json}))
sys.exit(finish(call, body))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
def test_an_interrupted_command_says_that_it_resumes(number, as_json):
    child = subprocess.Popen(
        [sys.executable, "-c", TOY.format(json=as_json)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stderr is not None
    assert child.stderr.readline() == "Working\n"
    child.send_signal(number)
    out, err = child.communicate(timeout=20)
    assert child.returncode == 130
    assert "Traceback" not in err
    told = json.loads(out)["error"]["fix"] if as_json else err
    assert "Run `retailops toy` again: it resumes" in told


def test_every_error_class_has_its_own_code():
    assert set(BY_CODE) == {1, 2, 3, 4, 5, 6, 130}
    assert all(issubclass(error, RetailOpsError) for error in BY_CODE.values())
