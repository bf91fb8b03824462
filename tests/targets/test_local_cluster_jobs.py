"""Which jobs go to a cluster, and what is asked for before one does. What they do there: batch/test_on_a_cluster.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pods import OneImage
from retailops import config as configuration
from retailops import targets
from retailops.config import Config
from retailops.errors import ConfigError, NotReady
from retailops.ports import Job
from retailops.progress import Silent
from retailops.targets.aws.cluster_jobs import ClusterJobs as AwsClusterJobs
from retailops.targets.local.cluster_jobs import ClusterJobs
from retailops.targets.local.jobs import LocalJobs
from retailops.targets.local.workspace import Workspace

IMAGE = f"registry.example.org/retailops@sha256:{'a' * 64}"


def load(folder: Path, context: str, target: str = "local", engine: str = "kubernetes") -> Config:
    deploy = {"kubernetes": {"context": context, "registry": "registry.example.org/shop"}}
    path = folder / "retail.yaml"
    path.write_text(json.dumps({"version": 1, "target": target, "etl": {"engine": engine}, "deploy": deploy}))
    return configuration.load(path, targets=targets.settings(), algorithms=["xgboost"], environ={})


def etl(folder: Path) -> Job:
    (folder / "rows.csv").write_text("1")
    return Job("etl", "k1", {"source": folder / "rows.csv"}, {})


def test_the_engine_says_where_the_etl_runs(project: Path) -> None:
    assert isinstance(targets.open_target(load(project, "kind-shop")).jobs, ClusterJobs)
    assert isinstance(targets.open_target(load(project, "", "aws")).jobs, AwsClusterJobs)
    assert type(targets.open_target(load(project, "kind-shop", engine="container")).jobs) is LocalJobs


def test_before_anything_is_asked_of_a_cluster_it_is_named_known_and_has_an_image(
    workspace: Workspace, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(project / "none"))
    with pytest.raises(ConfigError, match="no cluster is named"):
        ClusterJobs(workspace, load(project, ""), OneImage(IMAGE)).run(etl(project), Silent())
    with pytest.raises(NotReady, match="was never built") as caught:
        ClusterJobs(workspace, load(project, "kind-shop"), OneImage("")).run(etl(project), Silent())
    assert caught.value.fix == "Run: retailops image build --worker"
    with pytest.raises(ConfigError, match="the context 'kind-shop' can't be used"):
        ClusterJobs(workspace, load(project, "kind-shop"), OneImage(IMAGE)).run(etl(project), Silent())


def test_a_dataset_that_a_laptop_made_is_not_made_again(workspace: Workspace, project: Path) -> None:
    """Both engines leave it in one place, so changing the engine makes nothing anew."""
    output = workspace.folder / "jobs" / "etl-k1" / "output"
    output.mkdir(parents=True)
    (output / "result.json").write_text('{"dataset": "d"}')
    (output / "listing.json").write_text("{}")
    done = ClusterJobs(workspace, load(project, "kind-shop"), OneImage(IMAGE)).run(etl(project), Silent())
    assert done.reused and done.result == {"dataset": "d"}
