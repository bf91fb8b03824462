"""Glue's machines: every run of a Glue job is really carried out, by pyspark on this machine.

    with SparkCluster(aws, tmp_path / "cluster") as cluster:   # lays the job `retail-demo-dev-etl` down too
        ...                              # start runs; what comes out is in the emulated S3
        cluster.free.clear()             # runs stay in STARTING until `free.set()`
        cluster.work = function          # (script, arguments, folder) -> (state, message) in place of pyspark

A run gets the script that its arguments or the job name, and the order that its arguments name with each `s3://` turned
into a folder of this machine; what stands below the order's files is brought there, what is left below its folders is
taken back. Glue does one run of a job at a time, as the job's definition says.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import sparks
from emulator.server import Emulator, Request, Response

JOB = "retail-demo-dev-etl"
_RUNNING = {"STARTING", "RUNNING", "STOPPING"}
Work = Callable[[Path, list[str], Path], tuple[str, str]]


def pyspark(script: Path, arguments: list[str], folder: Path) -> tuple[str, str]:
    """The state that the run ends in, and what Glue would say of it."""
    done = sparks.submit(script, arguments, folder)
    if done.returncode == 0:
        return "SUCCEEDED", ""
    return "FAILED", (done.stdout.strip() or done.stderr.strip()).splitlines()[-1][:400]


class SparkCluster:
    """Active from `with` on, until its end or the emulator's `reset`."""

    def __init__(self, aws: Emulator, folder: Path) -> None:
        self.aws = aws
        self.work: Work = pyspark
        self.free = threading.Event()
        self.free.set()
        self.runs: list[dict[str, Any]] = []
        self._threads: list[threading.Thread] = []
        self._folder = folder

    def __enter__(self) -> Self:
        bucket = f"retail-demo-dev-gold-{self.aws.account}"
        command = {"Name": "glueetl", "ScriptLocation": f"s3://{bucket}/code/etl.py"}
        role = f"arn:aws:iam::{self.aws.account}:role/{JOB}"
        self.aws.client("glue").create_job(Name=JOB, Role=role, Command=command)
        self.aws.answer(self._answer)
        return self

    def __exit__(self, *problem: object) -> None:
        self.aws.hooks.remove(self._answer)
        for run in self.runs:
            run["JobRunState"] = "STOPPED" if run["JobRunState"] in _RUNNING else run["JobRunState"]
        self.free.set()
        for thread in self._threads:
            thread.join(60)

    def _answer(self, request: Request) -> Response | None:
        service, _, operation = request.target.partition(".")
        if service != "AWSGlue" or operation not in _ANSWERS:
            return None
        wanted = json.loads(request.body)
        if wanted["JobName"] != JOB:
            return _refusal("EntityNotFoundException", f"Job {wanted['JobName']} is not found.")
        return _ANSWERS[operation](self, wanted)

    def _start(self, wanted: dict[str, Any]) -> Response:
        if any(run["JobRunState"] in _RUNNING for run in self.runs):
            return _refusal("ConcurrentRunsExceededException", f"Concurrent runs exceeded for {JOB}")
        run = {**wanted, "Id": f"jr_{len(self.runs) + 1:064x}", "JobRunState": "STARTING", "StartedOn": time.time()}
        self.runs.insert(0, run)
        thread = threading.Thread(target=self._live, args=(run,), daemon=True)
        self._threads.append(thread)
        thread.start()
        return _told({"JobRunId": run["Id"]})

    def _one(self, wanted: dict[str, Any]) -> Response:
        return _told({"JobRun": next(run for run in self.runs if run["Id"] == wanted["RunId"])})

    def _all(self, wanted: dict[str, Any]) -> Response:
        return _told({"JobRuns": self.runs})

    def _stop(self, wanted: dict[str, Any]) -> Response:
        for run in self.runs:
            if run["Id"] in wanted["JobRunIds"] and run["JobRunState"] in _RUNNING:
                run["JobRunState"] = "STOPPED"
        return _told({"SuccessfulSubmissions": [], "Errors": []})

    def _live(self, run: dict[str, Any]) -> None:
        self.free.wait(60)
        if run["JobRunState"] == "STOPPED":
            return
        run["JobRunState"] = "RUNNING"
        try:
            state, message = self._carried_out(run["Arguments"], self._folder / str(len(self.runs)))
        except BaseException as problem:  # noqa: BLE001 - whatever it is, the run fails by it, and says so
            state, message = "FAILED", f"{type(problem).__name__}: {problem}"
        if run["JobRunState"] != "STOPPED":
            run |= {"ErrorMessage": message} if message else {}
            run["JobRunState"] = state

    def _carried_out(self, arguments: dict[str, str], folder: Path) -> tuple[str, str]:
        s3, place = self.aws.client("s3"), folder / "s3"
        script, order = folder / "etl.py", folder / "order.json"
        folder.mkdir(parents=True)
        location = arguments.get("--scriptLocation", f"s3://retail-demo-dev-gold-{self.aws.account}/code/etl.py")
        s3.download_file(*_parts(location), str(script))
        s3.download_file(*_parts(arguments["--order"]), str(order))
        wanted = json.loads(order.read_text())
        for file in wanted["files"]:
            bucket, key = _parts(file["path"])
            (place / bucket / key).parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, key, str(place / bucket / key))
        order.write_text(order.read_text().replace("s3://", f"{place}/"))
        ended = self.work(script, ["--JOB_NAME", JOB, "--key", arguments["--key"], "--order", str(order)], folder)
        for uri in wanted["folders"].values():
            bucket, key = _parts(uri)
            for path in (place / bucket / key).rglob("*"):
                if path.is_file() and not path.name.startswith("."):
                    s3.upload_file(str(path), bucket, str(path.relative_to(place / bucket)))
        return ended


_ANSWERS: dict[str, Callable[[SparkCluster, dict[str, Any]], Response]] = {
    "StartJobRun": SparkCluster._start,
    "GetJobRun": SparkCluster._one,
    "GetJobRuns": SparkCluster._all,
    "BatchStopJobRun": SparkCluster._stop,
}


def _parts(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def _told(what: dict[str, Any]) -> Response:
    return Response(json.dumps(what).encode())


def _refusal(code: str, message: str) -> Response:
    return Response(json.dumps({"__type": code, "Message": message}).encode(), 400)
