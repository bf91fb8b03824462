"""The ETL as a Job on EKS: the pod's very program against S3, and all around it with a stand-in of the cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulator, grounds
from emulator.estate import Estate
from emulator.job_api import JobApi
from pods import TOY, OneImage
from retailops.batch.attempt import Patience
from retailops.errors import GateFailed, NotReady, TargetFailed
from retailops.ports import Job, JobResult
from retailops.progress import Progress, Silent
from retailops.targets.aws.cluster_jobs import ClusterJobs
from retailops.targets.aws.jobs import RESULT
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.orders import ZONES
from retailops.targets.aws.session import Session
from retailops.targets.local.jobs import LocalJobs
from retailops.targets.local.workspace import Workspace

PARAMETERS = {"labelled": True, "max_quarantined": 0.01, "memory_mb": 300, "threads": 1}
IMAGE = f"registry.example.org/retailops@sha256:{'a' * 64}"


class Nobody:
    """Where other jobs go."""

    def run(self, job: Job, progress: Progress) -> JobResult:
        return JobResult(Path(job.kind), {}, reused=False)


@pytest.fixture
def mirror(swift: Session, aws: Emulator) -> Mirror:
    grounds.lay(aws)
    return Mirror(swift)


@pytest.fixture
def api(aws: Emulator, tmp_path: Path) -> Iterator[JobApi]:
    """The cluster of the stack."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with JobApi(tmp_path / "node", {**own, **aws.environment}) as running:
        Estate(aws).cluster(running.url)
        yield running


def jobs(session: Session, mirror: Mirror, act: str = "") -> ClusterJobs:
    worker = (sys.executable, "-P", str(TOY), act) if act else ()
    return ClusterJobs(session, mirror, Nobody(), OneImage(IMAGE), Patience(look=0.1, late=2), worker)


def brought(mirror: Mirror, source: Path) -> Job:
    folder = mirror.folder("raw", "r1")
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(source)
    mirror.push(folder)
    folder.unlink()
    return Job("etl", "k1", {"source": folder}, PARAMETERS)


@pytest.fixture
def row(tmp_path: Path) -> Path:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "a.csv").write_text("1")
    return tmp_path / "rows"


def on_s3(mirror: Mirror, zone: str, folder: Path) -> dict[str, bytes]:
    """What S3 has of a zone, by its name below the job's folder."""
    root = mirror.fetch(mirror.folder(zone, "jobs", "etl-k1"))
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_rows_come_from_s3_and_the_zones_of_a_laptop_go_there(
    swift: Session, mirror: Mirror, api: JobApi, synthetic_csvs: Path, tmp_path: Path, watcher: Any
) -> None:
    job = brought(mirror, synthetic_csvs)
    done = jobs(swift, mirror).run(job, watcher)
    workspace = Workspace(tmp_path / ".laptop", "retail-demo", tmp_path)
    laptop = LocalJobs(workspace).run(Job("etl", "k1", {"source": synthetic_csvs}, PARAMETERS), Silent())
    assert done.result == laptop.result and not done.reused
    assert (done.folder / "manifest.json").read_bytes() == (laptop.folder / "manifest.json").read_bytes()
    for zone in ZONES:
        whole = {
            path.relative_to(laptop.folder / zone).as_posix(): path.read_bytes()
            for path in (laptop.folder / zone).rglob("*")
            if path.is_file()
        }
        assert on_s3(mirror, zone, laptop.folder) == whole != {}
    stages = [text[0] for kind, text in watcher.told if kind == "stage"]
    assert "Bringing the rows from S3" in stages and "Saving what came out" in stages
    again = jobs(swift, mirror).run(job, watcher)
    assert again.reused and again.result == done.result and len(api.processes) == 1


def test_the_job_has_the_role_of_the_etl_and_is_asked_for_with_a_token_of_eks(
    swift: Session, mirror: Mirror, api: JobApi, row: Path, aws: Emulator
) -> None:
    jobs(swift, mirror, "fine").run(brought(mirror, row), Silent())
    annotations = api.applied["ServiceAccount"]["metadata"]["annotations"]
    role = f"arn:aws:iam::{aws.account}:role/retail-demo-dev-etl"
    assert annotations == {"eks.amazonaws.com/role-arn": role}
    assert api.jobs["retail-demo-etl-k1"]["metadata"]["namespace"] == "retailops"
    assert "Secret" not in api.applied
    assert all(token.startswith("Bearer k8s-aws-v1.") for token in api.tokens)


def test_what_is_refused_is_on_s3_for_a_look_and_is_told_by_its_address(
    swift: Session, mirror: Mirror, api: JobApi, row: Path
) -> None:
    with pytest.raises(GateFailed, match="Too many rows in quarantine") as caught:
        jobs(swift, mirror, "gate").run(brought(mirror, row), Silent())
    uri = mirror.uri(mirror.folder("quarantine", "jobs", "etl-k1"))
    assert caught.value.fix == f"Look into {uri}."
    assert [path.name for path in mirror.listing(mirror.folder("quarantine", "jobs"))] == ["part.txt"]
    assert not mirror.listing(mirror.folder("gold", "jobs")) and not api.jobs


def test_what_a_pod_before_left_is_not_mixed_with_what_comes(
    swift: Session, mirror: Mirror, api: JobApi, row: Path
) -> None:
    stale = mirror.folder("silver", "jobs", "etl-k1", "of another pod.txt")
    stale.parent.mkdir(parents=True)
    stale.write_text("half of it")
    mirror.push(stale)
    done = jobs(swift, mirror, "fine").run(brought(mirror, row), Silent())
    assert [path.name for path in mirror.listing(stale.parent)] == ["part.txt"]
    assert sorted(path.name for path in done.folder.iterdir()) == ["manifest.json", RESULT]


def test_an_input_that_is_gone_is_told_by_the_pod(swift: Session, mirror: Mirror, api: JobApi, row: Path) -> None:
    job = brought(mirror, row)
    mirror.remove(mirror.listing(mirror.folder("raw", "r1")))
    with pytest.raises(NotReady, match=r"s3://retail-demo-dev-raw-\d+/r1 isn't there"):
        jobs(swift, mirror, "fine").run(job, Silent())


def test_a_death_in_the_pod_is_explained_and_the_next_command_starts_anew(
    swift: Session, mirror: Mirror, api: JobApi, row: Path
) -> None:
    job = brought(mirror, row)
    with pytest.raises(TargetFailed, match="ended without its result \\(exit code 139\\)") as caught:
        jobs(swift, mirror, "crash").run(job, Silent())
    assert "a library prints" in caught.value.what
    assert not mirror.listing(mirror.folder("gold", "jobs"))
    assert jobs(swift, mirror, "fine").run(job, Silent()).result == {"dataset": "toy"}


def test_other_jobs_go_where_they_went_and_without_a_stack_nothing_is_asked_for(
    swift: Session, mirror: Mirror, row: Path
) -> None:
    assert jobs(swift, mirror).run(Job("train", "t1", {}, {}), Silent()).folder == Path("train")
    with pytest.raises(NotReady, match="The cluster isn't there"):
        jobs(swift, mirror).run(brought(mirror, row), Silent())


def test_the_program_of_the_pod_tells_its_errors_as_the_worker_does(aws: Emulator, tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "retailops.targets.aws.carrier", "etl", "--owner", aws.account]
    command += ["--data", str(tmp_path), "--bring", "source=s3://nowhere-at-all/r1"]
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(command, env={**own, **aws.environment}, capture_output=True, text=True, timeout=120)
    told = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == told["code"] == NotReady.code and "Traceback" not in done.stderr
    assert "s3://nowhere-at-all/r1" in told["what"] and told["fix"]
