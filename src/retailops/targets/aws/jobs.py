"""Floor 4, aws: jobs on SageMaker, each found again by its name, followed from here, and never run twice at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from retailops import files
from retailops.errors import Interrupted, NotReady, RetailOpsError, TargetFailed, Unsupported
from retailops.ports import Job, JobResult
from retailops.progress import Progress
from retailops.targets.aws import job_endings
from retailops.targets.aws.inventory.account import unless_gone
from retailops.targets.aws.inventory.learning import RUNNING
from retailops.targets.aws.job_logs import JobLogs
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.orders import PARAMETERS, TRAINING, WORKER, Orders, api
from retailops.targets.aws.session import Session, code_of, translated
from retailops.targets.aws.waiting import LOOK_S, until

RESULT = "result.json"
_STEPS = {
    "Starting": "Waiting for a machine",
    "Pending": "Waiting for a machine",
    "Downloading": "Bringing the data to the machine",
    "Training": "",  # the worker's own stages say more
    "Uploading": "Saving what came out",
    "Interrupted": "The spare machine was taken away: waiting for another",
    "Restarting": "Starting again on another machine",
}


@dataclass(frozen=True)
class Patience:
    """Seconds: between two looks, for a second Ctrl-C, for a machine to stop, and for CloudWatch to show last lines."""

    look: float = LOOK_S
    grace: float = 5.0
    stopping: float = 900.0  # it gets two minutes, and then time to save what it has
    late: float = 15.0


class AwsJobs:
    """models:jobs/<kind>-<key>/: order/parameters.json and output/; an ETL job's zones are in their own buckets.

    A training job's output is below its SageMaker name, as SageMaker decides. `log` is on this machine alone.
    """

    def __init__(
        self,
        session: Session,
        mirror: Mirror,
        worker: Sequence[str] = WORKER,
        patience: Patience = Patience(),
    ) -> None:
        self._session = session
        self._mirror = mirror
        self._orders = Orders(session, mirror, worker)
        self._patience = patience

    def run(self, job: Job, progress: Progress) -> JobResult:
        """The result at once when this key has finished before; what is running already is followed; else run it.

        Errors of the job keep their class; a death that the job couldn't report is TargetFailed with what SageMaker
        says and the last lines of its log. Whatever happens to this command, the job goes on: run it again.
        """
        if job.kind == "tune":
            raise Unsupported("This version of retailops doesn't tune on aws.", "local does: add --target local.")
        with translated(f"The {job.kind} job {job.key} on SageMaker"):
            attempt, found = self._latest(job)
            status = found.get(f"{api(job).camel}Status")
            if status == "Completed" and (done := self._result(job, found, reused=True)):
                return done
            if status in RUNNING:
                progress.note(f"{self._orders.name(job, attempt)} is running already: following it.")
            else:
                attempt += 1
                self._submit(job, attempt, progress)
            return self._ended(job, self._orders.name(job, attempt), progress)

    def _latest(self, job: Job) -> tuple[int, dict[str, Any]]:
        """Number and description of the newest attempt; 0 and nothing when there was none."""
        attempt, found = 0, dict[str, Any]()
        while further := self._described(job, self._orders.name(job, attempt + 1)):
            attempt, found = attempt + 1, further
        return attempt, found

    def _described(self, job: Job, name: str) -> dict[str, Any]:
        with unless_gone():
            found: dict[str, Any] = getattr(self._sagemaker, f"describe_{api(job).thing}")(
                **{f"{api(job).camel}Name": name}
            )
            return found
        return {}

    def _submit(self, job: Job, attempt: int, progress: Progress) -> None:
        from botocore.exceptions import ClientError

        name = self._orders.name(job, attempt)
        progress.stage(f"Asking SageMaker for {name}")
        request = self._orders.request(job, name)
        self._clear(job)
        parameters = self._orders.folder(job, "order", PARAMETERS)
        parameters.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(parameters, dict(job.parameters))
        self._mirror.push(parameters)
        try:
            getattr(self._sagemaker, f"create_{api(job).thing}")(**request)
        except ClientError as problem:
            # The name is the lock: another command was quicker, or an answer to our own first call was lost.
            if code_of(problem) != "ResourceInUse":
                raise
            progress.note(f"{name} exists already: following it.")

    def _clear(self, job: Job) -> None:
        """Take away what a former attempt may have left, or it would be mixed with what comes."""
        for folder in (self._orders.folder(job, "output"), *self._orders.zones(job).values()):
            self._mirror.remove(self._mirror.listing(folder))
            files.remove(folder, first=[RESULT])

    def _ended(self, job: Job, name: str, progress: Progress) -> JobResult:
        """Follow a job to its end; its result, or the error that it ended by."""
        log = self._orders.folder(job, "log")
        logs = JobLogs(self._session.client("logs"), api(job).logs, name, log)
        try:
            description = self._follow(job, name, logs, progress)
        except KeyboardInterrupt:
            raise self._let_go(job, name, progress) from None
        if description[f"{api(job).camel}Status"] == "Completed":
            if done := self._result(job, description, reused=False):
                self._mirror.remove(self._mirror.listing(self._orders.checkpoints(job)))
                return done
            raise TargetFailed(
                f"{name} ended without leaving its result.\nIts log: {log}", "Run the same command again."
            )
        if not (logs.error or description.get(api(job).message, "").find("{") >= 0):
            until(lambda: self._heard(logs, progress), self._patience.late, self._patience.look)
        problem = job_endings.failure(api(job), description, logs)
        raise self._addressed(job, problem)

    def _follow(self, job: Job, name: str, logs: JobLogs, progress: Progress) -> dict[str, Any]:
        """Pass on what the job says until it has ended; its last description."""
        step, since = "", 0.0
        while True:
            description = self._described(job, name)  # before its log, so that nothing said before the end is missed
            status = description[f"{api(job).camel}Status"]
            now = _STEPS.get(str(description.get("SecondaryStatus", "")), "")
            if now and now != step:
                progress.stage(now)
            step = now
            logs.pass_on(progress)
            if status not in RUNNING:
                return description
            if status == "Stopping":
                since = since or time.monotonic()
                if time.monotonic() - since > self._patience.stopping:
                    raise TargetFailed(
                        f"{name} has been stopping for {self._patience.stopping / 60:.0f} minutes.",
                        "AWS ends it in the end: run the same command again in a while; it starts once this has ended.",
                    )
            time.sleep(self._patience.look)

    def _heard(self, logs: JobLogs, progress: Progress) -> bool:
        logs.pass_on(progress)
        return bool(logs.error or logs.last_words())

    def _result(self, job: Job, description: dict[str, Any], *, reused: bool) -> JobResult | None:
        """What a completed job left, fetched; None when it isn't there, or not any more."""
        folder = self._output(job, description)
        try:
            self._mirror.fetch(folder)
        except NotReady:
            return None
        result = files.read_json(folder / RESULT)
        return JobResult(folder, result, reused) if isinstance(result, dict) else None

    def _output(self, job: Job, description: dict[str, Any]) -> Path:
        if api(job) is not TRAINING:
            return self._orders.folder(job, "output")
        where = str(description["ModelArtifacts"]["S3ModelArtifacts"]).rstrip("/")
        below = where.removeprefix(self._mirror.uri(self._orders.folder(job)) + "/")
        return self._orders.folder(job, *below.split("/"))

    def _addressed(self, job: Job, problem: RetailOpsError) -> RetailOpsError:
        """Paths inside the container, which is gone, become addresses on S3."""
        what, fix = problem.what, problem.fix
        addresses = self._orders.addresses(job)
        for inside in sorted(addresses, key=len, reverse=True):
            what, fix = what.replace(inside, addresses[inside]), fix.replace(inside, addresses[inside])
        return type(problem)(what, fix, details=problem.details)

    def _let_go(self, job: Job, name: str, progress: Progress) -> Interrupted:
        """Ctrl-C leaves the job running, since it is paid for already; a second one right after it stops it."""
        words = f"{name} goes on without this command. Ctrl-C once more within {self._patience.grace:.0f} s stops it."
        try:
            progress.note(words)
            time.sleep(self._patience.grace)
        except KeyboardInterrupt:
            getattr(self._sagemaker, f"stop_{api(job).thing}")(**{f"{api(job).camel}Name": name})
            return Interrupted(f"{name} was told to stop.", "Run the same command again to start it anew.")
        return Interrupted(f"{name} goes on on SageMaker.", "Run the same command again to follow it.")

    @cached_property
    def _sagemaker(self) -> Any:
        return self._session.client("sagemaker")
