"""The ETL in a pod that the rows are carried to and the zones from: for clusters that have no other way to the lake."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from retailops import files
from retailops.batch.agreed import DATA, TOKEN
from retailops.batch.attempt import Attempt, Patience
from retailops.batch.carriage import Carriage
from retailops.batch.objects import Order, manifests
from retailops.config import Config
from retailops.errors import RetailOpsError
from retailops.manifests import CHECKS, Check
from retailops.ports import Job
from retailops.progress import Progress
from retailops.tools import kube
from retailops.tools.kube import Space

TEMPLATES = "aws/k8s"
BOX = ("python", "-P", "-m", "retailops.batch.box")


@dataclass(frozen=True)
class Carried:
    """`worker` is what the pod runs in the place of its own worker."""

    config: Config
    namespace: str
    opened: Callable[[], AbstractContextManager[Space]]
    patience: Patience
    checks: Sequence[Check] = CHECKS
    worker: Sequence[str] = ()

    def run(self, job: Job, image: str, output: Path, log: Path, progress: Progress) -> None:
        """Have its result below `output`. Errors of the job keep their class, and name paths of this machine."""
        order = self.order(job, image)
        attempt = Attempt(self.opened, order.name, log, self.patience)
        proposed = secrets.token_hex(32)
        attempt.start(manifests(self.config, order, TEMPLATES, proposed, self.checks), progress)
        try:
            attempt.follow(Carriage(attempt.token(), job.inputs, output), progress)
        except RetailOpsError as problem:
            raise _here(problem, job, output) from problem

    def order(self, job: Job, image: str) -> Order:
        return Order(
            name=job_name(self.config, job),
            namespace=self.namespace,
            key=job.key,
            image=image,
            command=BOX,
            arguments=[
                job.kind,
                f"--token={TOKEN}/token",
                f"--data={DATA}",
                f"--parameters={json.dumps(dict(job.parameters))}",
                *([f"--worker={json.dumps(list(self.worker))}"] if self.worker else []),
            ],
            input_bytes=sum(files.size(each.resolve()) for path in job.inputs.values() for each in _entries(path)),
        )


@contextmanager
def in_context(context: str, namespace: str) -> Iterator[Space]:
    """A namespace of the cluster that this context of the user's kubeconfig names."""
    with kube.connect_context(context) as cluster:
        yield Space(cluster, namespace)


def job_name(config: Config, job: Job) -> str:
    """`<project>-etl-<key>`; a namespace is one environment's."""
    return f"{config.project.name}-{job.kind}-{job.key}"


def _entries(path: Path) -> list[Path]:
    return [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path]


def _here(problem: RetailOpsError, job: Job, output: Path) -> RetailOpsError:
    """Paths inside the pod, which is gone, become paths on this machine."""
    places = {f"{DATA}/input/{name}": str(path) for name, path in job.inputs.items()} | {f"{DATA}/output": str(output)}
    what, fix = problem.what, problem.fix
    for inside, outside in places.items():
        what, fix = what.replace(inside, outside), fix.replace(inside, outside)
    return type(problem)(what, fix, details=problem.details)
