"""Floor 4, local: the ETL as a Job on a cluster of one's own; every other job is a child process as ever."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from retailops.batch.attempt import Patience
from retailops.batch.carried import Carried, in_context
from retailops.config import Config
from retailops.errors import ConfigError
from retailops.images.wanted import wanted
from retailops.manifests import namespace
from retailops.ports import Images, Job
from retailops.progress import Progress
from retailops.targets.local.jobs import UNFINISHED, LocalJobs
from retailops.targets.local.workspace import Workspace


class ClusterJobs(LocalJobs):
    """In jobs/etl-<key>/ the same as ever: job.json apart, since the order is the Job's own."""

    def __init__(
        self,
        workspace: Workspace,
        config: Config,
        images: Images,
        patience: Patience | None = None,
        worker: Sequence[str] = (),
    ) -> None:
        super().__init__(workspace)
        self._config = config
        self._images = images
        self._patience = patience or Patience()
        self._in_pod = tuple(worker)

    def _start(self, job: Job, folder: Path, held: int, progress: Progress) -> None:
        """Follow the Job of this name, or start it. Whatever happens to this command, the Job goes on: run it again."""
        if job.kind != "etl":
            return super()._start(job, folder, held, progress)
        context = self._config.deploy.kubernetes.context
        if not context:
            raise ConfigError(
                "etl.engine is kubernetes, and no cluster is named.",
                "Set deploy.kubernetes.context to a context of your kubeconfig, or etl.engine: container.",
            )
        image = wanted(self._images, None)
        space = namespace(self._config)
        opened = partial(in_context, context, space)
        carried = Carried(self._config, space, opened, self._patience, worker=self._in_pod)
        return carried.run(job, image.reference, folder / UNFINISHED, folder / "log", progress)
