"""The ETL as a Job on a real control plane, in real containers: done, killed, refused, hindered, let go, followed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clusters import Cluster, Docker, until
from clusters.kubelet import POD
from pods import OneImage, Told
from retailops.batch.attempt import Patience
from retailops.config import Config
from retailops.errors import GateFailed, RetailOpsError, TargetFailed, UsageError
from retailops.ports import Job, JobResult
from retailops.progress import Silent
from retailops.retail import synth
from retailops.targets.local.cluster_jobs import ClusterJobs
from retailops.targets.local.jobs import LocalJobs
from retailops.targets.local.workspace import Workspace

pytestmark = pytest.mark.slow

PROJECT = "job-test"
NAME = f"{PROJECT}-etl-k1"
PARAMETERS = {"memory_mb": 300, "threads": 1}
QUICK = Patience(look=0.3, stuck=5, room=5)


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    with cluster.namespace(f"{PROJECT}-dev") as name:
        yield name


@pytest.fixture
def shop(configured: Callable[..., Config], cluster: Cluster, namespace: str) -> Config:
    return configured(PROJECT, cluster.context, memory_mb=300, threads=1)


@pytest.fixture
def jobs(shop: Config, worker_image: str, tmp_path: Path) -> Callable[..., ClusterJobs]:
    """With the worker of the image, or a toy that does what it is told; `image` instead of the worker's."""

    def make(act: str = "", image: str = worker_image, patience: Patience = QUICK) -> ClusterJobs:
        worker = ("python", "-P", "/toy.py", act) if act else ()
        workspace = Workspace(tmp_path / ".retailops", PROJECT, tmp_path)
        return ClusterJobs(workspace, shop, OneImage(image), patience, worker)

    return make


@pytest.fixture(scope="session")
def many_weeks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows that take an ETL some seconds."""
    folder = tmp_path_factory.mktemp("many")
    synth.write(folder, synth.SynthOptions(baskets=60_000, weeks=10), Silent())
    return folder


@pytest.fixture
def row(tmp_path: Path) -> Path:
    """What a toy takes for rows."""
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "a.csv").write_text("1")
    return tmp_path / "rows"


def etl(source: Path) -> Job:
    return Job("etl", "k1", {"source": source}, PARAMETERS)


def on_a_laptop(source: Path, folder: Path) -> JobResult:
    return LocalJobs(Workspace(folder / "laptop", PROJECT, folder)).run(etl(source), Silent())


def job(cluster: Cluster, namespace: str) -> dict[str, Any]:
    return cluster.read(f"/apis/batch/v1/namespaces/{namespace}/jobs/{NAME}")


def contents(folder: Path) -> dict[str, bytes]:
    """All but what is written about it here."""
    root = folder.resolve()
    found = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    return {name: data for name, data in found.items() if name != "listing.json"}


def test_a_dataset_is_the_one_of_a_laptop_and_is_made_once(
    jobs: Callable[..., ClusterJobs], cluster: Cluster, namespace: str, synthetic_csvs: Path, tmp_path: Path, told: Told
) -> None:
    done = jobs().run(etl(synthetic_csvs), told)
    laptop = on_a_laptop(synthetic_csvs, tmp_path)
    assert done.result == laptop.result and contents(done.folder) == contents(laptop.folder)
    assert "Bringing the rows to the cluster" in told.stages
    assert any(stage.startswith("ETL: ") for stage in told.stages), "its own words come through the pod's log"
    ended = until(lambda: job(cluster, namespace).get("status", {}).get("succeeded") and job(cluster, namespace))
    again = jobs().run(etl(synthetic_csvs), told)
    assert again.reused and job(cluster, namespace)["metadata"]["uid"] == ended["metadata"]["uid"]
    secret = cluster.read(f"/api/v1/namespaces/{namespace}/secrets/{NAME}")
    assert secret["metadata"]["ownerReferences"][0]["uid"] == ended["metadata"]["uid"]


@pytest.mark.parametrize("by", ["the node", "somebody"])
def test_a_pod_that_is_killed_in_the_middle_is_followed_by_another_to_the_same_dataset(
    jobs: Callable[..., ClusterJobs], cluster: Cluster, namespace: str, docker: Docker, many_weeks: Path,
    tmp_path: Path, told: Told, by: str, tell: Callable[[str], None],
) -> None:  # fmt: skip
    ended: list[JobResult] = []
    thread = threading.Thread(target=lambda: ended.append(jobs().run(etl(many_weeks), told)))
    thread.start()
    until(lambda: any(stage.startswith("ETL: ") for stage in told.stages), 120, "the work to begin")
    (pod,) = cluster.pods(namespace)
    name = pod["metadata"]["name"]
    if by == "the node":
        container = docker.run("ps", "--quiet", "--filter", f"label={POD}={namespace}/{name}").strip()
        docker.run("kill", container)
    else:
        cluster.ask("DELETE", f"/api/v1/namespaces/{namespace}/pods/{name}")
    thread.join(180)
    assert told.stages.count("Bringing the rows to the cluster") == 2
    laptop = on_a_laptop(many_weeks, tmp_path)
    assert ended[0].result == laptop.result and contents(ended[0].folder) == contents(laptop.folder)
    if by == "the node":
        assert any(f"The pod {name} died (Error, exit code 137)" in note for note in told.notes), told.notes
    tell(f"killed by {by}, dataset {ended[0].result['dataset']} as on a laptop: {laptop.result['dataset']}")


def test_what_is_refused_is_told_as_on_a_laptop_and_not_tried_again(
    jobs: Callable[..., ClusterJobs], cluster: Cluster, namespace: str, tmp_path: Path, row: Path
) -> None:
    with pytest.raises(GateFailed, match="Too many rows in quarantine") as caught:
        jobs("gate").run(etl(row), Silent())
    place = tmp_path / ".retailops" / "jobs" / "etl-k1" / "output.unfinished" / "quarantine"
    assert caught.value.fix == f"Look into {place}." and (place / "part.txt").is_file()
    assert caught.value.details == {"rows": 7}
    with pytest.raises(UsageError, match=rf"{row}/a\.csv, line 7"):
        jobs("data").run(etl(row), Silent())
    assert not job(cluster, namespace)
    assert "a library prints" in (place.parents[1] / "log").read_text()


def test_too_little_memory_is_told_at_once(
    jobs: Callable[..., ClusterJobs], cluster: Cluster, namespace: str, row: Path
) -> None:
    with pytest.raises(TargetFailed, match="needed more memory than its limit") as caught:
        jobs("memory").run(etl(row), Silent())
    assert caught.value.details["cause"] == "memory" and "Raise etl.memory_mb" in caught.value.fix
    assert not job(cluster, namespace), "the same limit would kill it again"


def test_an_image_that_cannot_be_pulled_is_told_and_the_job_ended(
    jobs: Callable[..., ClusterJobs], cluster: Cluster, namespace: str, row: Path, registry: str, told: Told
) -> None:
    nowhere = f"{registry}/job-nowhere@sha256:{'0' * 64}"
    with pytest.raises(TargetFailed, match="can't load the image of jobs") as caught:
        jobs(image=nowhere).run(etl(row), told)
    assert caught.value.details["cause"] == "image" and "retailops image build" in caught.value.fix
    assert "ErrImagePull" in caught.value.what
    assert any("ErrImagePull" in stage for stage in told.stages), "it is shown while there is hope"
    assert not job(cluster, namespace)


def test_no_node_with_room_is_told(
    configured: Callable[..., Config], cluster: Cluster, namespace: str, worker_image: str, tmp_path: Path, row: Path
) -> None:
    shop = configured(PROJECT, cluster.context, threads=256)
    jobs = ClusterJobs(Workspace(tmp_path / ".retailops", PROJECT, tmp_path), shop, OneImage(worker_image), QUICK)
    with pytest.raises(TargetFailed, match="No node of the cluster has room") as caught:
        jobs.run(etl(row), Silent())
    assert "etl.threads" in caught.value.fix and "Insufficient cpu" in caught.value.what
    assert not job(cluster, namespace)


def test_a_quota_is_told(jobs: Callable[..., ClusterJobs], cluster: Cluster, row: Path, namespace: str) -> None:
    cluster.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "small", "namespace": namespace},
            "spec": {"hard": {"limits.memory": "100Mi"}},
        },
    )
    until(lambda: cluster.read(f"/api/v1/namespaces/{namespace}/resourcequotas/small").get("status", {}).get("hard"))
    with pytest.raises(TargetFailed, match="A quota of the namespace") as caught:
        jobs().run(etl(row), Silent())
    assert "exceeded quota: small" in caught.value.what


def test_a_job_that_keeps_dying_is_given_up_and_one_that_takes_too_long_is_ended(
    jobs: Callable[..., ClusterJobs], cluster: Cluster, namespace: str, row: Path
) -> None:
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs/{NAME}"
    found: list[RetailOpsError] = []

    def run(act: str) -> threading.Thread:
        def body() -> None:
            try:
                jobs(act).run(etl(row), Silent())
            except RetailOpsError as problem:
                found.append(problem)

        thread = threading.Thread(target=body)
        thread.start()
        until(lambda: cluster.read(path) or found, 60, "the Job")
        return thread

    thread = run("crash")  # three more tries take over a minute: one is enough here
    cluster.ask("PATCH", path, {"spec": {"backoffLimit": 0}}, "application/merge-patch+json")
    thread.join(120)
    thread = run("wait")
    until(lambda: any(pod["status"].get("phase") == "Running" for pod in cluster.pods(namespace)), 60, "a pod")
    cluster.ask("PATCH", path, {"spec": {"activeDeadlineSeconds": 1}}, "application/merge-patch+json")
    thread.join(120)
    died, late = found
    assert "ended without its result (exit code 139)" in died.what and "a library prints" in died.what
    assert "took longer than it may" in late.what and "etl.max_minutes" in late.fix


class Command:
    """A process of its own that runs the ETL."""

    def __init__(self, folder: Path, source: Path, image: str, worker: tuple[str, ...] = ()) -> None:
        program = Path(__file__).parent / "retailops_cluster_command.py"
        words = [str(program), str(folder), str(source), image, json.dumps(worker)]
        self._process = subprocess.Popen([sys.executable, "-P", *words], stdout=subprocess.PIPE, text=True)
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        self.said.extend(line.rstrip() for line in self._process.stdout or ())

    def heard(self, text: str) -> bool:
        return any(text in line for line in self.said)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self._process.pid, number)

    def end(self) -> int:
        code = self._process.wait(120)
        self._reader.join()
        if self._process.stdout:
            self._process.stdout.close()
        return code


def test_a_command_that_is_killed_leaves_the_job_running_and_the_next_one_follows_it(
    jobs: Callable[..., ClusterJobs], cluster: Cluster, namespace: str, worker_image: str, many_weeks: Path,
    tmp_path: Path, told: Told,
) -> None:  # fmt: skip
    command = Command(tmp_path, many_weeks, worker_image)
    until(lambda: command.heard("stage ETL: "), 120, "the work to begin")
    command.signal(signal.SIGKILL)
    command.end()
    uid = job(cluster, namespace)["metadata"]["uid"]
    done = jobs().run(etl(many_weeks), told)
    assert done.result == on_a_laptop(many_weeks, tmp_path).result
    assert f"{NAME} is running already: following it." in told.notes
    assert job(cluster, namespace)["metadata"]["uid"] == uid and len(cluster.pods(namespace)) == 1
    assert "Bringing the rows to the cluster" not in told.stages, "they were there"


def test_ctrl_c_lets_go_and_a_second_one_ends_the_job(
    cluster: Cluster, namespace: str, shop: Config, worker_image: str, row: Path, tmp_path: Path
) -> None:
    wait = ("python", "-P", "/toy.py", "wait")
    first = Command(tmp_path, row, worker_image, wait)
    until(lambda: first.heard("stage a toy's work"), 120, "the work to begin")
    first.signal(signal.SIGINT)
    assert first.end() == 130 and first.heard("goes on on the cluster")
    uid = job(cluster, namespace)["metadata"]["uid"]
    second = Command(tmp_path, row, worker_image, wait)
    until(lambda: second.heard("following it"), 60, "the second command")
    until(lambda: second.heard("stage a toy's work"), 60, "what was said before")
    assert job(cluster, namespace)["metadata"]["uid"] == uid
    second.signal(signal.SIGINT)
    until(lambda: second.heard("Ctrl-C once more"), 30, "the offer")
    second.signal(signal.SIGINT)
    assert second.end() == 130 and second.heard("was ended")
    until(lambda: not job(cluster, namespace), 30, "the end of the Job")
