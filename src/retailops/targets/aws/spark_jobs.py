"""Floor 4, aws: the ETL on Glue, for data that outgrows one machine; all other jobs go where they went."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from retailops import files
from retailops.errors import Interrupted, NotReady, RetailOpsError, TargetFailed
from retailops.ports import Job, JobResult, Jobs
from retailops.progress import Progress
from retailops.retail.spark import verdict
from retailops.targets.aws.jobs import RESULT, Patience
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.orders import ZONES
from retailops.targets.aws.session import Session, code_of, translated
from retailops.targets.aws.spark_orders import SparkOrders

_UNDER_WAY = {"STARTING", "RUNNING", "STOPPING", "WAITING"}
_SAVED = ("manifest.json", RESULT)
# What Glue says, or the state it ended in → what that means, what to do. The first that fits.
_CAUSES = (
    (r"TIMEOUT", "It took longer than it may.", "Raise aws.spark.max_minutes or aws.spark.workers in retail.yaml"),
    (
        r"(?i)OutOfMemory|out of memory|exit code:? ?137|ExecutorLost|No space left|Container killed",
        "Its machines have too little memory or disk for these rows.",
        "Raise aws.spark.workers, or choose a larger aws.spark.worker in retail.yaml",
    ),
    (
        r"(?i)AccessDenied|access denied|not authorized|KMS|status code: 403",
        "Its role may not do what it needs.",
        "Bring the roles to what this version needs: retailops infra up",
    ),
    (
        r"(?i)NoSuchBucket|NoSuchKey|FileNotFound|path does not exist|PATH_NOT_FOUND",
        "An input isn't on S3 any more.",
        "Hand it in again: retailops etl --input PATH",
    ),
    (
        r"(?i)ResourceNumberLimit|max(imum)? (capacity|concurrent)|insufficient|resource unavailable",
        "Glue has no machines for it at this moment, or the account's quota of DPUs is used up.",
        "Try again later, or lower aws.spark.workers in retail.yaml",
    ),
    (r"(?i)internal (service )?error|ServiceException", "Glue failed, not the job.", "Nothing is to be done"),
)


PATIENCE = Patience()


class SparkJobs:
    """ETL as runs of the one Glue job `<prefix>-etl`; a run is known by the key among its arguments."""

    def __init__(self, session: Session, mirror: Mirror, others: Jobs, patience: Patience = PATIENCE) -> None:
        self._session = session
        self._mirror = mirror
        self._orders = SparkOrders(mirror)
        self._others = others
        self._patience = patience

    def run(self, job: Job, progress: Progress) -> JobResult:
        """The result at once when this key has finished before; a run under way is followed; else one is started.

        What the input is refused for is told as the ETL tells it on a laptop. Whatever happens to this command, the run
        goes on: run it again.
        """
        if job.kind != "etl":
            return self._others.run(job, progress)
        with translated(f"The ETL {job.key} on Glue"):
            if done := self._result(job, reused=True):
                return done
            if name := self._under_way(job):
                progress.note(f"The run {name} is under way already: following it.")
            else:
                name = self._started(job, progress)
            return self._ended(job, name, progress)

    @property
    def _name(self) -> str:
        return f"{self._session.names.prefix}-etl"

    def _folders(self, job: Job) -> dict[str, Path]:
        """Folder of the order → the path that names it."""
        name = f"etl-{job.key}"
        zones = {zone: self._mirror.folder(zone, "jobs", name) for zone in ZONES}
        staging = self._mirror.folder("silver", "staging", name)
        return {**zones, "staging": staging, "output": self._mirror.folder("models", "jobs", name, "output")}

    def _result(self, job: Job, *, reused: bool) -> JobResult | None:
        """What a run that finished has left, on whichever engine; the result is the last that a job writes."""
        folder = self._folders(job)["output"]
        if not self._mirror.exists(folder / RESULT):
            return None
        for name in _SAVED:
            self._mirror.fetch(folder / name)
        return JobResult(folder, files.read_json(folder / RESULT), reused)

    def _under_way(self, job: Job) -> str:
        """The run of this very job that Glue is at, or nothing. NotReady when it is at another one."""
        from botocore.exceptions import ClientError

        try:
            pages = self._glue.get_paginator("get_job_runs").paginate(JobName=self._name)
            runs = [run for page in pages for run in page["JobRuns"] if run["JobRunState"] in _UNDER_WAY]
        except ClientError as problem:
            if code_of(problem) != "EntityNotFoundException":
                raise
            raise NotReady(f"There is no Glue job {self._name}.", "Build it first: retailops infra up") from problem
        for run in runs:
            if run.get("Arguments", {}).get("--key") == job.key:
                return str(run["Id"])
        if runs:
            raise NotReady(
                f"Glue is at another run of {self._name} ({runs[0]['Id']}), and does one at a time.",
                "Run this again once that has ended.",
            )
        return ""

    def _started(self, job: Job, progress: Progress) -> str:
        from botocore.exceptions import ClientError

        progress.stage(f"Asking Glue for a run of {self._name}")
        folders = self._folders(job)
        for folder in folders.values():
            self._mirror.remove(self._mirror.listing(folder))
        settings = self._session.settings.spark
        arguments = {"--key": job.key, "--order": self._orders.order(job, folders)}
        try:
            told = self._glue.start_job_run(
                JobName=self._name,
                # Its own script under its own name: a run never gets another version's, whoever uploads meanwhile.
                Arguments={**arguments, "--scriptLocation": self._orders.script()},
                Timeout=settings.max_minutes,
                WorkerType=settings.worker,
                NumberOfWorkers=settings.workers,
            )
        except ClientError as problem:
            # Another command was quicker, or the answer to our own first call was lost.
            name = self._under_way(job) if code_of(problem) == "ConcurrentRunsExceededException" else ""
            if not name:
                raise
            progress.note(f"The run {name} exists already: following it.")
            return name
        return str(told["JobRunId"])

    def _ended(self, job: Job, name: str, progress: Progress) -> JobResult:
        try:
            run = self._follow(job, name, progress)
        except KeyboardInterrupt:
            raise self._let_go(name, progress) from None
        if run["JobRunState"] == "SUCCEEDED" and (done := self._result(job, reused=False)):
            return done
        raise self._problem(job, run)

    def _follow(self, job: Job, name: str, progress: Progress) -> dict[str, Any]:
        """Pass on what the run is at until it has ended; its last description."""
        at = ""
        while True:
            run: dict[str, Any] = self._glue.get_job_run(JobName=self._name, RunId=name)["JobRun"]
            now = "Waiting for machines" if run["JobRunState"] in ("STARTING", "WAITING") else self._stage(job) or at
            if now != at:
                progress.stage(now)
            at = now
            if run["JobRunState"] not in _UNDER_WAY:
                return run
            time.sleep(self._patience.look)

    def _stage(self, job: Job) -> str:
        told = self._told(job, "stage.json")
        return str(told["text"]) if told else ""

    def _told(self, job: Job, name: str) -> dict[str, Any] | None:
        path = self._folders(job)["output"] / name
        return files.read_json(self._mirror.fetch(path)) if self._mirror.exists(path) else None

    def _problem(self, job: Job, run: dict[str, Any]) -> RetailOpsError:
        """What the job itself says goes before what Glue says of it."""
        if told := self._told(job, "problem.json"):
            folder = self._mirror.uri(self._folders(job)["quarantine"])
            return verdict.error(told, folder, float(job.parameters.get("max_quarantined", 0)))
        return failure(run)

    def _let_go(self, name: str, progress: Progress) -> Interrupted:
        """As with all jobs: Ctrl-C leaves it running, a second one right after it stops it."""
        words = f"The run {name} goes on by itself. Ctrl-C once more within {self._patience.grace:.0f} s stops it."
        try:
            progress.note(words)
            time.sleep(self._patience.grace)
        except KeyboardInterrupt:
            self._glue.batch_stop_job_run(JobName=self._name, JobRunIds=[name])
            return Interrupted(f"The run {name} was told to stop.", "Run the same command again to start it anew.")
        return Interrupted(f"The run {name} goes on on Glue.", "Run the same command again to follow it.")

    @cached_property
    def _glue(self) -> Any:
        return self._session.client("glue")


def failure(run: Mapping[str, Any]) -> TargetFailed:
    """What the end of a run means that left no word of its own."""
    state, reason = run["JobRunState"], str(run.get("ErrorMessage", "")).strip()
    if state == "STOPPED":
        return TargetFailed(f"The run {run['Id']} was stopped.", "Run the same command again to start it anew.")
    what, fix = f"The run {run['Id']} ended without its result ({state}).", "If it stays, its log has the story"
    for pattern, cause, way in _CAUSES:
        if re.search(pattern, f"{state} {reason}"):
            what, fix = f"{cause} (Glue run {run['Id']}, {state})", way
            break
    says = f"\nGlue says: {reason}" if reason else ""
    log = f"\nIts log: CloudWatch, {run.get('LogGroupName', '/aws-glue/jobs')}, stream {run['Id']}"
    details = {"run": run["Id"], "state": state, "reason": reason}
    return TargetFailed(f"{what}{says}{log}", f"{fix}; then run the same command again.", details=details)
