"""Progress: live at a terminal, a line a stage elsewhere, and never a reason to fail."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys

import pytest

from retailops.cli.progress import Lines, Live, Opened

PROGRAM = """
from retailops.cli.progress import Opened
with Opened(quiet=False) as progress:
    progress.stage("reading files", 10, "files")
    for done in range(11):
        progress.advance(done)
    progress.note("two lines [bold]in quarantine[/bold]")
    progress.stage("over at once")
    progress.stage("learning", 2)
    progress.advance(2)
"""


def at_a_terminal(program: str, **environment: str) -> str:
    """What a program shows on a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", **environment}
    child = subprocess.Popen([sys.executable, "-c", program], stdin=theirs, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert child.wait() == 0
    return shown.decode()


def test_finished_stages_stay_on_the_terminal():
    shown = at_a_terminal(PROGRAM)
    assert re.search("\x1b\\[32m✔ \x1b\\[0mReading files", shown)
    assert "two lines [bold]in quarantine[/bold]" in shown
    assert "✔" in shown.rpartition("Learning")[0]
    assert "Over at once" not in shown.rpartition("Learning")[2]
    assert "\x1b[0mOver at once" not in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h")  # the cursor that was hidden is back


def test_no_color_is_honoured():
    assert "\x1b[32m" not in at_a_terminal(PROGRAM, NO_COLOR="1")


def test_a_failed_stage_is_marked(capsys):
    live = Live()
    live.stage("learning")
    live.close(ok=False)
    assert "✘ Learning" in capsys.readouterr().err


def test_a_pipe_gets_a_line_a_stage(capsys):
    with Opened(quiet=False) as progress:
        progress.stage("reading", 3, "files")
        progress.advance(3)
        progress.note("a note")
        progress.stage("learning")
    assert capsys.readouterr() == ("", "Reading\n  a note\nLearning\n")


def test_progress_nobody_reads_does_not_stop_the_work(monkeypatch):
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stderr", Gone())
    Lines().stage("reading")


def test_a_command_without_progress_opens_none(capsys):
    with Opened(quiet=False):
        pass
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("total", [None, 0, 5])
def test_any_order_of_calls_is_fine(total, capsys):
    live = Live()
    live.advance(3)
    live.stage("one", total, "rows")
    live.advance(7)
    live.advance(2)
    live.close()
    live.close()
    capsys.readouterr()


WAITING = """
from retailops.cli.progress import Opened
with Opened(quiet=False) as progress:
    progress.stage("creating", 2, "resources")
    progress.note("the network is there")
    progress.advance(1, "the cluster, which has a long name and takes ten minutes")
    progress._watcher._bars.refresh()
    progress.note("the cluster is there")
    progress.advance(2)
"""


def test_what_is_waited_for_stands_beside_the_bar_and_notes_come_at_once():
    shown = at_a_terminal(WAITING)
    assert "1/2 resources · the cluster" in shown
    assert "…" in shown
    rest = shown.partition("the network is there")[2]
    assert "Creating" in rest, "the note stands above the bar while the stage goes on"
    assert "the cluster is there" in rest


def test_a_log_gets_a_sign_of_life_when_a_wait_is_long(monkeypatch, capsys):
    lines = Lines()
    lines.stage("creating")
    lines.advance(1, "the cluster 30 s")
    monkeypatch.setattr("retailops.cli.progress.SIGN_OF_LIFE", 0.0)
    lines.advance(1, "the cluster 90 s")
    lines.advance(2)
    assert capsys.readouterr().err.splitlines() == ["Creating", "  … the cluster 90 s"]
