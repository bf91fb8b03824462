"""The ETL of aws on a cluster that has no role of the account: carried by way of this machine, really run there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from clusters import Cluster, Docker
from emulator import Emulator, grounds
from pods import OneImage, worker_image_of
from retailops.batch.attempt import Patience
from retailops.config import Config
from retailops.errors import GateFailed
from retailops.ports import Job
from retailops.progress import Silent
from retailops.targets.aws.cluster_jobs import ClusterJobs
from retailops.targets.aws.lake import AwsLake
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.orders import ZONES
from retailops.targets.aws.session import Session
from retailops.targets.local.jobs import LocalJobs
from retailops.targets.local.workspace import Workspace

pytestmark = pytest.mark.slow
PARAMETERS = {"labelled": True, "max_quarantined": 0.01, "memory_mb": 300, "threads": 1}


@pytest.fixture(scope="session")
def worker_image(docker: Docker, registry: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    return worker_image_of(docker, registry, tmp_path_factory.mktemp("image"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_a_laptop_makes_comes_to_s3_and_what_is_refused_stays_here_for_a_look(
    aws: Emulator, loaded: boto3.Session, configured: Callable[[str], Config], cluster: Cluster, worker_image: str,
    synthetic_csvs: Path, tmp_path: Path, watcher: Any,
) -> None:  # fmt: skip
    kubernetes = {"kubernetes": {"context": cluster.context}}
    etl = json.dumps({"engine": "kubernetes", "memory_mb": 300, "threads": 1})
    session = Session(configured(f"project: {{environment: jobs}}\netl: {etl}\ndeploy: {json.dumps(kubernetes)}\n"))
    session.__dict__["_boto"] = loaded
    grounds.lay(aws, session.names.prefix)
    mirror = Mirror(session)
    source = AwsLake(mirror).put(synthetic_csvs, Silent()).folder
    job = Job("etl", "k1", {"source": source}, PARAMETERS)

    def jobs(*worker: str) -> ClusterJobs:
        nobody: Any = None  # there are no other jobs here
        return ClusterJobs(session, mirror, nobody, OneImage(worker_image), Patience(look=0.3), worker)

    with cluster.namespace("retail-demo-jobs"):
        with pytest.raises(GateFailed, match="Too many rows in quarantine") as caught:
            jobs("python", "-P", "/toy.py", "gate").run(job, Silent())
        assert Path(caught.value.fix.removeprefix("Look into ").rstrip("."), "part.txt").is_file()
        done = jobs().run(job, watcher)
        again = jobs().run(job, watcher)
    assert again.reused and again.result == done.result
    here = LocalJobs(Workspace(tmp_path / ".laptop", "retail-demo", tmp_path))
    laptop = here.run(Job("etl", "k1", {"source": synthetic_csvs}, PARAMETERS), Silent())
    assert done.result == laptop.result
    for zone in ZONES:
        there, whole = mirror.fetch(mirror.folder(zone, "jobs", "etl-k1")), laptop.folder / zone
        assert contents(there) == contents(whole) != {}
    assert not list((mirror.root.parent / "carried").glob("*/*")), "what S3 has takes no room here"
