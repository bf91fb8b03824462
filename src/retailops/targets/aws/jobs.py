"""Floor 4, aws: jobs on SageMaker, each found again by its name, followed from here, and never run twice at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from retailops import files
from retailops.errors import NotReady, RetailOpsError, TargetFailed
from retailops.ports import Job, JobResult
from retailops.progress import Progress
from retailops.targets.aws import job_endings
from retailops.targets.aws.attempts import Attempts, Patience
from retailops.targets.aws.inventory.learning import RUNNING
from retailops.targets.aws.job_logs import JobLogs
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.orders import TRAINING, WORKER, Orders, api
from retailops.targets.aws.session import Session, translated
from retailops.targets.aws.tuner import GROUND, Tuner
from retailops.targets.aws.waiting import until

__all__ = ["AwsJobs", "Patience"]

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


class AwsJobs:
    """models:jobs/<kind>-<key>/: order/parameters.json and output/; an ETL job's zones are in their own buckets.

    A training job's output is below its SageMaker name, as SageMaker decides. `log` is on this machine alone.
    """

    def __init__(
        self,
        session: Session,
        mirror: Mirror,
        worker: Sequence[str] = WORKER,
        patience: Patience | None = None,
    ) -> None:
        self._session = session
        self._mirror = mirror
        self._orders = Orders(session, mirror, worker)
        self._patience = patience or Patience()

    def run(self, job: Job, progress: Progress) -> JobResult:
        """The result at once when this key has finished before; what is running already is followed; else run it.

        Errors of the job keep their class; a death that the job couldn't report is TargetFailed with what SageMaker
        says and the last lines of its log. Whatever happens to this command, the job goes on: run it again.
        """
        if job.kind == "tune" and not job.parameters.get(GROUND):
            return Tuner(self._session, self._mirror, self._orders, self._patience, self.run).run(job, progress)
        with translated(f"The {job.kind} job {job.key} on SageMaker"):
            attempt, found = self._attempts(job).latest(partial(self._orders.name, job))
            status = found.get(f"{api(job).camel}Status")
            if status == "Completed" and (done := self._result(job, found, reused=True)):
                return done
            if status in RUNNING:
                progress.note(f"{self._orders.name(job, attempt)} is running already: following it.")
            else:
                attempt += 1
                self._submit(job, attempt, progress)
            return self._ended(job, self._orders.name(job, attempt), progress)

    def _submit(self, job: Job, attempt: int, progress: Progress) -> None:
        name = self._orders.name(job, attempt)
        progress.stage(f"Asking SageMaker for {name}")
        request = self._orders.request(job, name)
        self._clear(job)
        self._orders.leave(job)
        self._attempts(job).create(request, name, progress)

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
            raise self._attempts(job).let_go(name, progress) from None
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
        step = ""

        def seen(description: dict[str, Any]) -> None:  # before its log, so that nothing said before the end is missed
            nonlocal step
            now = _STEPS.get(str(description.get("SecondaryStatus", "")), "")
            if now and now != step:
                progress.stage(now)
            step = now
            logs.pass_on(progress)

        return self._attempts(job).follow(name, seen)

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

    def _attempts(self, job: Job) -> Attempts:
        return Attempts(self._session, api(job), self._patience)
