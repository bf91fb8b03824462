"""Jobs as child processes: what they say, how they die, and that running again always helps."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from retailops.errors import GateFailed, NotReady, RetailOpsError, TargetFailed, UsageError
from retailops.ports import Job, JobResult
from retailops.progress import Silent
from retailops.targets.local.infra import processes_of
from retailops.targets.local.jobs import LocalJobs
from retailops.targets.local.workspace import Workspace

COMMAND = Path(__file__).with_name("retailops_toy_command.py")


def job(act: str, key: str = "k1", **parameters: Any) -> Job:
    return Job("train", key, {}, {"do": act, **parameters})


@pytest.fixture
def command(workspace: Workspace) -> Iterator[Callable[..., tuple[subprocess.Popen[str], int]]]:
    """Start a command whose job waits for ever; gives the command and the job's process id once that has begun."""
    started: list[subprocess.Popen[str]] = []

    def start(key: str = "k1") -> tuple[subprocess.Popen[str], int]:
        arguments = [sys.executable, str(COMMAND), str(workspace.folder), key, "wait"]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout
        return process, int(process.stdout.readline().removeprefix("pid "))

    yield start
    for process in started:
        process.kill()
        process.communicate()


def ended(pid: int) -> None:
    """The process is gone within a few seconds."""
    try:
        psutil.Process(pid).wait(10)
    except psutil.NoSuchProcess:
        return


def test_a_finished_job_is_not_run_again(toy_jobs: LocalJobs, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    first = toy_jobs.run(job("count", runs=str(runs)), Silent())
    second = toy_jobs.run(job("count", runs=str(runs)), Silent())
    assert (first.reused, second.reused) == (False, True)
    assert first.folder == second.folder
    assert first.result == second.result
    assert (first.folder / "data.txt").read_text() == "whole"
    assert runs.read_text() == "run\n"


def test_another_key_is_another_job(toy_jobs: LocalJobs) -> None:
    first = toy_jobs.run(job("count", "k1"), Silent())
    second = toy_jobs.run(job("count", "k2"), Silent())
    assert not second.reused
    assert first.folder != second.folder


def test_progress_passes_through_and_stray_prints_go_to_the_log(toy_jobs: LocalJobs, watcher: Any) -> None:
    done = toy_jobs.run(job("talk"), watcher)
    stages = [what for kind, what in watcher.told if kind == "stage"]
    advances = [what for kind, what in watcher.told if kind == "advance"]
    assert stages == [("counting", 1000, "rows"), ("then", None, "")]
    assert advances == sorted(advances)
    assert advances[-1] == 1000, "the last figure of a stage always arrives"
    assert len(advances) < 100, "rapid ones are thinned out"
    log = (done.folder.parent / "log").read_text()
    assert "from Python" in log
    assert "from C" in log


def test_errors_keep_their_class_their_fix_and_their_details(toy_jobs: LocalJobs) -> None:
    with pytest.raises(UsageError, match="line 7") as caught:
        toy_jobs.run(job("bad data"), Silent())
    assert caught.value.fix == "Correct the line."
    assert caught.value.details == {"line": 7}


def test_what_a_failed_job_left_can_be_looked_at_until_the_next_one(toy_jobs: LocalJobs, workspace: Workspace) -> None:
    with pytest.raises(GateFailed) as caught:
        toy_jobs.run(job("gate", "k1"), Silent())
    left = Path(caught.value.fix.removeprefix("Look into ").removesuffix("."))
    assert left.read_text() == "half a result"
    toy_jobs.run(job("count", "k2"), Silent())
    assert not left.exists()
    assert not list(workspace.folder.glob("jobs/*/output.unfinished"))


@pytest.mark.parametrize(
    ("act", "words"),
    [
        ("killed", ["SIGKILL", "memory"]),
        ("segfault", ["SIGSEGV", "\n  Fatal Python error: Segmentation fault\nIts log: "]),
        ("surprise", ["LookupError: the shelf is empty"]),
        ("memory", ["out of memory"]),
        ("vanish", ["without leaving its result"]),
    ],
)
def test_a_sudden_death_is_explained(toy_jobs: LocalJobs, act: str, words: list[str]) -> None:
    with pytest.raises(TargetFailed) as caught:
        toy_jobs.run(job(act), Silent())
    for word in words:
        assert word in caught.value.what
    assert caught.value.fix
    assert "Traceback" not in caught.value.what
    assert "ValueError" not in caught.value.what, "the cause of the cause is for the log"


def test_the_log_of_a_death_is_named_and_holds_the_whole_story(toy_jobs: LocalJobs) -> None:
    with pytest.raises(TargetFailed) as caught:
        toy_jobs.run(job("surprise"), Silent())
    log = Path(caught.value.details["log"])
    assert str(log) in caught.value.what
    assert "Traceback" in log.read_text()


@pytest.mark.parametrize("act", ["killed", "gate", "vanish"])
def test_running_again_after_a_failure_works(toy_jobs: LocalJobs, act: str) -> None:
    with pytest.raises(RetailOpsError):
        toy_jobs.run(job(act), Silent())
    done = toy_jobs.run(job("count"), Silent())
    assert not done.reused
    assert sorted(path.name for path in done.folder.iterdir()) == ["begun", "data.txt", "listing.json", "result.json"]


def _drop_file(done: JobResult) -> None:
    (done.folder / "data.txt").unlink()


def _change_file(done: JobResult) -> None:
    (done.folder / "data.txt").write_text("WHOLE")


def _cut_result(done: JobResult) -> None:
    (done.folder / "result.json").write_text('{"answer": 4')


def _empty(done: JobResult) -> None:
    for path in done.folder.iterdir():
        path.unlink()


@pytest.mark.parametrize("damage", [_drop_file, _change_file, _cut_result, _empty])
def test_a_damaged_output_is_made_again(toy_jobs: LocalJobs, damage: Callable[[JobResult], None]) -> None:
    damage(toy_jobs.run(job("count"), Silent()))
    healed = toy_jobs.run(job("count"), Silent())
    assert not healed.reused
    assert (healed.folder / "data.txt").read_text() == "whole"
    assert toy_jobs.run(job("count"), Silent()).reused


def test_native_threads_are_limited_when_the_job_says_so(toy_jobs: LocalJobs) -> None:
    assert toy_jobs.run(job("count", threads=1), Silent()).result["threads"] == "1"


def test_a_user_s_own_modules_do_not_shadow_the_library(
    toy_jobs: LocalJobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "random.py").write_text("raise SystemExit('the wrong module')")
    monkeypatch.chdir(tmp_path)
    assert toy_jobs.run(job("count"), Silent()).result["answer"] == 42


def test_an_input_that_is_gone_is_named(toy_jobs: LocalJobs, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'dataset' isn't there"):
        toy_jobs.run(Job("train", "k1", {"dataset": tmp_path / "gone"}, {"do": "count"}), Silent())


def test_a_second_command_is_told_who_holds_the_job(toy_jobs: LocalJobs, command: Any) -> None:
    holder, _ = command()
    with pytest.raises(NotReady, match=rf"train job k1 \(process {holder.pid}, since ") as caught:
        toy_jobs.run(job("count"), Silent())
    assert caught.value.fix


def test_a_running_job_does_not_hinder_another_of_its_kind(
    toy_jobs: LocalJobs, command: Any, workspace: Workspace
) -> None:
    _, pid = command("k1")
    toy_jobs.run(job("count", "k2"), Silent())
    assert psutil.pid_exists(pid)
    assert (workspace.folder / "jobs/train-k1/output.unfinished/begun").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_the_command_ends_the_job_first(command: Any, number: signal.Signals) -> None:
    process, pid = command()
    process.send_signal(number)
    said, _ = process.communicate(timeout=20)
    assert not psutil.pid_exists(pid), "the job is gone when the command is"
    assert said.strip() in {"Interrupted", "KeyboardInterrupt"}
    assert process.returncode == 130


def test_a_killed_command_takes_its_job_along_and_running_again_works(toy_jobs: LocalJobs, command: Any) -> None:
    process, pid = command()
    process.kill()
    process.wait()
    done = toy_jobs.run(job("count"), Silent())  # at once: it waits for the orphan to let go, not for ever
    ended(pid)
    assert done.result["answer"] == 42
    assert not (done.folder.parent / "output.unfinished").exists()


def test_running_jobs_are_known_and_can_be_ended_from_elsewhere(
    toy_jobs: LocalJobs, command: Any, workspace: Workspace
) -> None:
    process, pid = command()
    assert toy_jobs.running() == [("train-k1", pid)]
    assert pid in [found for _, found in processes_of(workspace.folder)]
    toy_jobs.end()
    ended(pid)
    assert process.wait(20) == TargetFailed.code
    assert toy_jobs.running() == []
    toy_jobs.end()


def test_a_record_of_a_process_that_is_somebody_else_now_is_not_believed(
    toy_jobs: LocalJobs, workspace: Workspace
) -> None:
    folder = workspace.folder / "jobs" / "train-old"
    folder.mkdir(parents=True)
    (folder / "process.json").write_text(f'{{"pid": {os.getpid()}, "born": 12.5}}')
    assert toy_jobs.running() == []


def test_a_job_run_from_a_thread_works_without_signals(toy_jobs: LocalJobs) -> None:
    results: list[JobResult] = []
    thread = threading.Thread(target=lambda: results.append(toy_jobs.run(job("count"), Silent())))
    thread.start()
    thread.join(30)
    assert results[0].result["answer"] == 42
