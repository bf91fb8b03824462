"""Rows into a pod and zones out of it: the pod's own program, really run, and the command's side of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pods import TOKEN, Box, Told, sha256, toy
from retailops.batch.agreed import BLOCK
from retailops.batch.carriage import Carriage
from retailops.errors import TargetFailed


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A link to a file of several blocks, as raw zones have them, a small file and an empty one."""
    folder, elsewhere = tmp_path / "raw", tmp_path / "a user's files"
    (folder / "deep er").mkdir(parents=True)
    elsewhere.mkdir()
    (elsewhere / "big.csv").write_bytes(bytes(range(256)) * (2 * BLOCK // 256) + b"and some")
    (folder / "big.csv").symlink_to(elsewhere / "big.csv")
    (folder / "deep er" / "small.csv").write_text("1")
    (folder / "empty.csv").write_text("")
    (folder / ".half.tmp").write_text("not whole")
    return folder


def test_all_of_it_gets_there_is_worked_on_and_comes_back(
    box: Callable[..., Box], source: Path, tmp_path: Path, told: Told
) -> None:
    pod, output = box(toy("fine")), tmp_path / "out"
    carriage = Carriage(TOKEN, {"source": source}, output)
    carriage.attend(pod.space, "pod", told)
    there = pod.data / "input" / "source"
    names = {path.relative_to(there).as_posix() for path in there.rglob("*") if path.is_file()}
    assert names == {"big.csv", "deep er/small.csv", "empty.csv"}
    assert (there / "big.csv").read_bytes() == (source / "big.csv").read_bytes()
    pod.until(lambda: pod.ask("GET", "state")[1]["at"] == "done")
    carriage.attend(pod.space, "pod", told)
    assert carriage.taken and pod.process.wait(30) == 0
    assert json.loads((output / "result.json").read_text()) == {"dataset": "toy"}
    assert (output / "gold" / "part.txt").read_text() == "gold of ['source']"
    assert told.stages[0] == "Bringing the rows to the cluster" and told.stages[-1] == "Fetching what came out"


def test_what_was_cut_off_goes_on_and_a_lost_answer_changes_nothing(
    box: Callable[..., Box], source: Path, tmp_path: Path, told: Told
) -> None:
    pod, output = box(toy("fine")), tmp_path / "out"
    carriage = Carriage(TOKEN, {"source": source}, output)
    for lost in (3, 1, 0):
        pod.space.broken = lost
        carriage.attend(pod.space, "pod", told)
    pod.until(lambda: pod.ask("GET", "state")[1]["at"] == "done")
    pod.space.broken = 1
    carriage.attend(pod.space, "pod", told)
    assert not carriage.taken
    carriage.attend(pod.space, "pod", told)
    assert carriage.taken and pod.process.wait(30) == 0


def test_a_pod_that_is_gone_in_the_middle_is_no_error_of_the_carriage(
    box: Callable[..., Box], source: Path, tmp_path: Path, told: Told
) -> None:
    pod = box(toy("fine"))
    pod.end()
    Carriage(TOKEN, {"source": source}, tmp_path / "out").attend(pod.space, "pod", told)


def test_what_was_refused_is_shown_too_and_the_pod_ends_by_the_verdict(
    box: Callable[..., Box], source: Path, tmp_path: Path, told: Told
) -> None:
    pod, output = box(toy("gate")), tmp_path / "out"
    carriage = Carriage(TOKEN, {"source": source}, output)
    carriage.attend(pod.space, "pod", told)
    pod.until(lambda: pod.ask("GET", "state")[1]["at"] == "done")
    carriage.attend(pod.space, "pod", told)
    assert not carriage.taken and pod.process.wait(30) == 4
    assert (output / "quarantine" / "part.txt").is_file() and not (output / "result.json").exists()


@pytest.mark.parametrize(("act", "code"), [("data", 2), ("unlucky", 5), ("crash", 139)])
def test_a_failure_ends_the_pod_at_once(
    box: Callable[..., Box], source: Path, tmp_path: Path, told: Told, act: str, code: int
) -> None:
    pod = box(toy(act))
    Carriage(TOKEN, {"source": source}, tmp_path / "out").attend(pod.space, "pod", told)
    assert pod.process.wait(60) == code


def test_whoever_has_another_token_gets_nothing(
    box: Callable[..., Box], source: Path, tmp_path: Path, told: Told
) -> None:
    pod = box(toy("fine"))
    for method, path in (("GET", "state"), ("PUT", "input/a"), ("POST", "work"), ("GET", "output")):
        assert pod.ask(method, path, b"{}", token="another")[0] == 403
    with pytest.raises(TargetFailed, match=r"doesn't take what is brought \(403\)"):
        Carriage("another", {"source": source}, tmp_path / "out").attend(pod.space, "pod", told)


@pytest.mark.parametrize("path", ["input/../../etc/passwd", "input/%2e%2e/%2e%2e/x", "elsewhere/a", "input//../../x"])
def test_nothing_is_put_outside_of_the_inputs(box: Callable[..., Box], path: str) -> None:
    pod = box(toy("fine"))
    assert pod.ask("PUT", path, b"x", X_Sha256=sha256(b"x"))[0] == 409
    assert not list(pod.data.rglob("*"))


def test_a_block_that_is_not_what_was_sent_is_not_taken_and_work_waits_for_the_whole(box: Callable[..., Box]) -> None:
    pod = box(toy("fine"))
    assert pod.ask("PUT", "input/source/a", b"x", X_Sha256=sha256(b"y"))[0] == 422
    assert pod.ask("PUT", "input/source/a", b"x", X_Sha256=sha256(b"x"))[0] == 200
    wanted = {"source/a": sha256(b"xy"), "source/b": sha256(b"")}
    assert pod.ask("POST", "work", json.dumps(wanted).encode()) == (409, {"missing": ["source/a", "source/b"]})
    assert pod.ask("GET", "output")[0] == 404, "nothing is there before it is done"
    assert pod.ask("PUT", "input/source/a", b"y", X_Offset="1", X_Sha256=sha256(b"y"))[0] == 200
    assert pod.ask("POST", "work", json.dumps({"source/a": sha256(b"xy")}).encode())[0] == 200


def test_a_pod_that_is_told_to_go_goes(box: Callable[..., Box], source: Path, tmp_path: Path, told: Told) -> None:
    waiting, working = box(toy("fine")), box(toy("wait"))
    Carriage(TOKEN, {"source": source}, tmp_path / "out").attend(working.space, "pod", told)
    for pod in (waiting, working):
        pod.process.terminate()
        assert pod.process.wait(10) == 143
