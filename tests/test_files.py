"""Whole-or-nothing files, and locks that outlive no one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from retailops import files
from retailops.errors import NotReady

HOLD = """
import sys
from pathlib import Path
from retailops import files
with files.lock(Path(sys.argv[1]), "holding"):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(path: Path) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", HOLD, str(path)]
    process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def test_a_failed_write_leaves_the_old_contents_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "index.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(path, {"a": float("nan")})
    with pytest.raises(FileNotFoundError), files.replacing(path) as temporary:
        temporary.with_name("no such folder").joinpath("x").write_text("never")
    assert files.read_json(path) == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["index.json"]


def test_what_is_not_there_or_not_json_reads_as_none(tmp_path: Path) -> None:
    cut = tmp_path / "cut.json"
    cut.write_bytes(b'{"a": "\xff')
    assert files.read_json(cut) is None
    assert files.read_json(tmp_path / "nothing.json") is None


def test_removing_never_follows_a_link(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "rows.csv").write_text("mine")
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "link").symlink_to(precious, target_is_directory=True)
    (folder / "rows.csv").symlink_to(precious / "rows.csv")
    direct = tmp_path / "direct"
    direct.symlink_to(precious, target_is_directory=True)
    files.remove(folder)
    files.remove(direct)
    files.remove(tmp_path / "nothing")
    assert (precious / "rows.csv").read_text() == "mine"
    assert [entry.name for entry in tmp_path.iterdir()] == ["precious"]


def test_size_counts_links_as_themselves(tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(b"x" * 100_000)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_bytes(b"x" * 1000)
    (folder / "link").symlink_to(big)
    (folder / "dangling").symlink_to(tmp_path / "nothing")
    assert 1000 < files.size(folder) < 2000
    assert files.size(tmp_path / "nothing") == 0


def test_moving_onto_something_changes_nothing(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "who").write_text(name)
    assert not files.move(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b" / "who").read_text() == "b"
    assert files.move(tmp_path / "a", tmp_path / "c")
    assert not (tmp_path / "a").exists()


def test_the_second_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    process = holder(path)
    with (
        pytest.raises(NotReady, match=rf"holding \(process {process.pid}, since ") as caught,
        files.lock(path, "me", wait=False),
    ):
        pass
    assert caught.value.details["holder"]["pid"] == process.pid
    process.communicate("")
    with files.lock(path, "me", wait=False):
        assert json.loads(path.read_text())["what"] == "me"


def test_one_who_waits_gets_the_lock_when_the_holder_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    process = holder(path)
    waiter = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    process.send_signal(signal.SIGKILL)
    assert waiter.stdout
    assert waiter.stdout.readline() == "held\n"
    process.communicate()
    waiter.communicate("")


def test_a_lock_whose_file_was_removed_is_taken_anew(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with files.lock(path, "the old one"):
        path.unlink()
        with files.lock(path, "the new one", wait=False):
            assert json.loads(path.read_text())["what"] == "the new one"
