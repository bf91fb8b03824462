"""Floor 4, local: jobs as child processes of the command, each in a folder of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import IO

from retailops import events, files
from retailops.errors import Interrupted, RetailOpsError, TargetFailed
from retailops.ports import Job, JobResult
from retailops.progress import Progress
from retailops.targets.local import processes
from retailops.targets.local.workspace import Workspace

WORKER = (sys.executable, "-P", "-m", "retailops.worker")  # -P: a user's ./random.py must not shadow the library's
RESULT = "result.json"
UNFINISHED = "output.unfinished"
_OUTPUT, _LISTING, _PROCESS, _LOG = "output", "listing.json", "process.json", "log"
_PATIENCE_S = 5.0
_TAIL_BYTES = 16_384


class LocalJobs:
    """workspace/jobs/<kind>-<key>/: job.json, log, and output/ once the job has finished.

    What a failed job left stays in output.unfinished for a look, until the next job of its kind starts.
    """

    def __init__(self, workspace: Workspace, worker: Sequence[str] = WORKER) -> None:
        self._workspace = workspace
        self._jobs = workspace.folder / "jobs"
        self._worker = tuple(worker)

    def run(self, job: Job, progress: Progress) -> JobResult:
        """The result at once when this key has finished before, else run it.

        NotReady when another command is running this very job; errors of the job keep their class; a death that the job
        couldn't report is TargetFailed with the last lines of its log. Interrupted or killed: run it again.
        """
        folder = self._jobs / f"{job.kind}-{job.key}"
        if finished := _finished(folder):
            return finished
        self._workspace.claim()
        with files.lock(folder / "lock", f"the {job.kind} job {job.key}", wait=False) as held:
            if finished := _finished(folder):
                return finished
            files.remove(folder / _OUTPUT, first=[RESULT])
            files.remove(folder / UNFINISHED)
            self._forget_failures(job.kind)
            self._start(job, folder, held, progress)
            result = files.read_json(folder / UNFINISHED / RESULT)
            if not isinstance(result, dict):
                raise _death(0, folder / _LOG)
            files.write_json(folder / UNFINISHED / _LISTING, _listing(folder / UNFINISHED))
            files.move(folder / UNFINISHED, folder / _OUTPUT)
        return JobResult(folder / _OUTPUT, result, reused=False)

    def running(self) -> list[tuple[str, int]]:
        """(job, pid) of the jobs that our records say are running and that really are."""
        found = []
        for record in sorted(self._jobs.glob(f"*/{_PROCESS}")):
            process = files.read_json(record)
            if isinstance(process, dict) and processes.is_same(int(process["pid"]), float(process["born"])):
                found.append((record.parent.name, int(process["pid"])))
        return found

    def end(self) -> None:
        """End every running job, whichever command started it."""
        for _, pid in self.running():
            end_family(pid)

    def _start(self, job: Job, folder: Path, held: int, progress: Progress) -> None:
        order = {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "inputs": {name: str(path.absolute()) for name, path in job.inputs.items()},
            "key": job.key,
            "kind": job.kind,
            "output": str(folder / UNFINISHED),
            "parameters": dict(job.parameters),
        }
        files.write_json(folder / "job.json", order)
        command = [*self._worker, job.kind, "--job", str(folder / "job.json"), "--attached"]
        with (folder / _LOG).open("wb") as log, _ended_by_sigterm():
            # A session of its own, so that Ctrl-C reaches us alone and we end the whole family. It holds our lock too,
            # so a second command can't start while the child of a killed one is still dying; its standard input is the
            # cord that tells it of our death.
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                pass_fds=(held,),
            )
            try:
                files.write_json(folder / _PROCESS, {"pid": process.pid, "born": processes.start_time(process.pid)})
                reported = _follow(process.stdout, log, progress)
                code = process.wait()
            finally:
                _end(process)
                (folder / _PROCESS).unlink(missing_ok=True)
        if reported:
            raise reported
        if code != 0:
            raise _death(code, folder / _LOG)

    def _forget_failures(self, kind: str) -> None:
        for left in self._jobs.glob(f"{kind}-*/{UNFINISHED}"):
            try:
                with files.lock(left.parent / "lock", "tidying up", wait=False):
                    files.remove(left, first=[RESULT])
            except RetailOpsError:
                continue  # its command is running at this moment, so it is no failure


def _finished(folder: Path) -> JobResult | None:
    """The finished output, unless a file of it was lost or touched since; then the job is simply run again."""
    output = folder / _OUTPUT
    result, listing = files.read_json(output / RESULT), files.read_json(output / _LISTING)
    if not isinstance(result, dict) or not isinstance(listing, dict):
        return None
    if not listing.items() <= _listing(output).items():
        return None
    return JobResult(output, result, reused=True)


def _listing(output: Path) -> dict[str, list[int]]:
    """Relative path → [bytes, modified in ns] of every file. Publishing leaves a link, and may add files."""
    root = output.resolve()
    found = {path: path.stat() for path in sorted(root.rglob("*")) if path.is_file()}
    return {str(path.relative_to(root)): [stat.st_size, stat.st_mtime_ns] for path, stat in found.items()}


def _follow(stdout: IO[bytes] | None, log: IO[bytes], progress: Progress) -> RetailOpsError | None:
    """Pass the job's events on until it closes its output; the error it reported, if any."""
    error = None
    for line in stdout or ():
        try:
            error = events.pass_on(line, progress) or error
        except events.NotAnEvent:
            log.write(line)
    return error


def _death(code: int, log: Path) -> TargetFailed:
    """The job ended without a word of its own: what the system and the log say."""
    fix = "Run the same command again; if it stays, the log has the whole story."
    if code == -signal.SIGKILL:
        what = "The job was killed (SIGKILL); the system does that when memory runs out."
        fix = "Close what else uses memory, or lower etl.memory_mb or train.max_baskets; then run the same command."
    elif code == -signal.SIGTERM:
        what, fix = "The job was ended from outside (SIGTERM).", "Run the same command again."
    elif code < 0:
        what = f"The job crashed in native code ({signal.Signals(-code).name})."
    elif code > 0:
        what = "The job ended by an error it didn't expect."
    else:
        what = "The job ended without leaving its result."
    words = _last_words(log)
    said = "".join(f"\n  {word}" for word in words)
    return TargetFailed(f"{what}{said}\nIts log: {log}", fix, details={"exit": code, "log": str(log), "last": words})


def _last_words(log: Path) -> list[str]:
    """The lines that matter: the message at the end of the last traceback, or the last few lines of the log."""
    if not log.exists():
        return []  # a teardown went by
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    return events.last_words(lines)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Make sure that the child is gone, politely first; a second Ctrl-C while waiting makes it rude."""
    try:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(_PATIENCE_S)
    except (subprocess.TimeoutExpired, KeyboardInterrupt, Interrupted):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    finally:
        for stream in (process.stdin, process.stdout):
            if stream:
                stream.close()


def end_family(pid: int) -> None:
    """End a process that another command started, with whatever it started itself. Nothing there is success."""
    import psutil

    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    processes.end(family, signal.SIGTERM, _PATIENCE_S)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM would end us before we could end the child: let it unwind. A handler that somebody else set is kept."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def unwind(number: int, frame: FrameType | None) -> None:
        raise Interrupted(
            "Asked to stop (SIGTERM) while a job was running; the job was ended.", "Run the same command again."
        )

    signal.signal(signal.SIGTERM, unwind)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
