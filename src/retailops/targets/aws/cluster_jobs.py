"""Floor 4, aws: the ETL as a Job on the stack's EKS, or on another cluster; all other jobs go where they went.

On EKS the pod has the ETL's role and speaks with S3 itself. Another cluster has no role of this account: there the rows
are carried, from S3 by way of this machine, and the zones back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from retailops import files
from retailops.batch.agreed import DATA
from retailops.batch.attempt import Attempt, Patience, Unattended
from retailops.batch.carried import TEMPLATES, Carried, in_context, job_name
from retailops.batch.objects import Order, manifests
from retailops.errors import NotReady, RetailOpsError, TargetFailed
from retailops.images.wanted import wanted
from retailops.manifests import namespace
from retailops.ports import Images, Job, JobResult, Jobs
from retailops.progress import Progress
from retailops.targets.aws import cluster
from retailops.targets.aws.jobs import RESULT
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.orders import ZONES
from retailops.targets.aws.rights import partition
from retailops.targets.aws.session import Session, translated
from retailops.targets.aws.workload import AWS_CHECKS, NAMES_AND_HTTPS, NAMESPACE
from retailops.tools.kube import Space

CARRIER = ("python", "-P", "-m", "retailops.targets.aws.carrier")


class ClusterJobs:
    """What a Job leaves is where every engine leaves it: zones in their buckets, models:jobs/etl-<key>/output/."""

    def __init__(
        self,
        session: Session,
        mirror: Mirror,
        others: Jobs,
        images: Images,
        patience: Patience | None = None,
        worker: Sequence[str] = (),
    ) -> None:
        self._session = session
        self._mirror = mirror
        self._others = others
        self._images = images
        self._patience = patience or Patience()
        self._worker = tuple(worker)

    def run(self, job: Job, progress: Progress) -> JobResult:
        """The result at once when this key has finished before, on whichever engine; else a Job is followed or started.

        Errors of the job keep their class. Whatever happens to this command, the Job goes on: run it again.
        """
        if job.kind != "etl":
            return self._others.run(job, progress)
        with translated(f"The ETL {job.key} on Kubernetes"):
            if done := self._result(job, reused=True):
                return done
            if self._session.config.deploy.kubernetes.context:
                self._carry(job, progress)
            else:
                self._on_eks(job, progress)
            if done := self._result(job, reused=False):
                return done
        raise TargetFailed(f"The ETL {job.key} ended without leaving its result.", "Run the same command again.")

    def _folder(self, job: Job, *parts: str, zone: str = "models") -> Path:
        return self._mirror.folder(zone, "jobs", f"{job.kind}-{job.key}", *parts)

    def _result(self, job: Job, *, reused: bool) -> JobResult | None:
        """What a job that finished has left; the result is the last that it writes."""
        folder = self._folder(job, "output")
        if not self._mirror.exists(folder / RESULT):
            return None
        result = files.read_json(self._mirror.fetch(folder) / RESULT)
        return JobResult(folder, result, reused) if isinstance(result, dict) else None

    def _image(self) -> str:
        named = self._session.settings.image
        return named if "@sha256:" in named else wanted(self._images, None).reference

    # --- with a role: EKS ---

    def _on_eks(self, job: Job, progress: Progress) -> None:
        order = self.order(job)
        attempt = Attempt(self._opened, order.name, self._folder(job, "log"), self._patience)
        try:
            attempt.start(manifests(self._session.config, order, TEMPLATES, checks=AWS_CHECKS), progress)
            attempt.follow(Unattended(), progress)
        except RetailOpsError as problem:
            raise self._addressed(job, problem) from problem

    def order(self, job: Job) -> Order:
        """The Job that brings the rows from S3 itself."""
        names, account = self._session.names, self._session.account
        brought, taken = self._addresses(job)
        return Order(
            name=job_name(self._session.config, job),
            namespace=NAMESPACE,
            key=job.key,
            image=self._image(),
            command=CARRIER,
            arguments=[
                job.kind,
                f"--owner={account}",
                f"--data={DATA}",
                f"--parameters={json.dumps(dict(job.parameters))}",
                *(f"--bring={name}={uri}" for name, uri in brought.items()),
                *(f"--take={part}={uri}" for part, uri in taken.items()),
                *([f"--worker={json.dumps(self._worker)}"] if self._worker else []),
            ],
            input_bytes=sum(self._mirror.size(path) for path in job.inputs.values()),
            role=f"arn:{partition(names.region)}:iam::{account}:role/{names.prefix}-etl",
            called=NAMES_AND_HTTPS,
            environment={"AWS_DEFAULT_REGION": names.region},
        )

    def _addresses(self, job: Job) -> tuple[dict[str, str], dict[str, str]]:
        """Input → URI, part of the output → URI."""
        brought = {
            name if part == "." else f"{name}/{part}": uri
            for name, path in job.inputs.items()
            for part, uri in self._mirror.places(path)
        }
        zones = {zone: self._mirror.uri(self._folder(job, zone=zone)) for zone in ZONES}
        return brought, {**zones, ".": self._mirror.uri(self._folder(job, "output"))}

    def _addressed(self, job: Job, problem: RetailOpsError) -> RetailOpsError:
        """Paths inside the pod, which is gone, become addresses on S3."""
        brought, taken = self._addresses(job)
        places = {f"{DATA}/input/{name}": uri for name, uri in brought.items()}
        places |= {f"{DATA}/output/{part}": uri for part, uri in taken.items()}
        what, fix = problem.what, problem.fix
        for inside, address in places.items():
            what, fix = what.replace(inside, address), fix.replace(inside, address)
        return type(problem)(what, fix, details=problem.details)

    @contextmanager
    def _opened(self) -> Iterator[Space]:
        found = cluster.described(self._session)
        if found is None:
            raise NotReady("The cluster isn't there.", "Build it first: retailops infra up")
        with cluster.connected(self._session, found) as kubernetes:
            yield Space(kubernetes, NAMESPACE)

    # --- without: another cluster ---

    def _carry(self, job: Job, progress: Progress) -> None:
        config = self._session.config
        here, space = self._mirror.root.parent / "carried" / f"{job.kind}-{job.key}", namespace(config)
        with files.lock(here.with_suffix(".lock"), f"the {job.kind} job {job.key}", wait=False):
            for path in job.inputs.values():
                self._mirror.fetch(path, progress)
            opened: Any = partial(in_context, config.deploy.kubernetes.context, space)
            carried = Carried(config, space, opened, self._patience, AWS_CHECKS, self._worker)
            carried.run(job, self._image(), here, self._folder(job, "log"), progress)
            self._push(job, here, progress)
            files.remove(here)

    def _push(self, job: Job, here: Path, progress: Progress) -> None:
        """What came back, to where every engine leaves it, in the place of what may be there; its result last."""
        output = self._folder(job, "output")
        for zone in (*ZONES, ""):
            target = self._folder(job, zone=zone) if zone else output
            self._mirror.remove(self._mirror.listing(target))
            files.remove(target, first=[RESULT])
            target.parent.mkdir(parents=True, exist_ok=True)
            if zone and (here / zone).is_dir():
                files.move(here / zone, target)
                self._mirror.push(target, progress)
                files.remove(target)  # S3 has it; here it would only take room
        output.mkdir(parents=True, exist_ok=True)
        for each in sorted((path for path in here.iterdir() if path.is_file()), key=lambda path: path.name == RESULT):
            each.replace(output / each.name)
            self._mirror.push(output / each.name, progress)
