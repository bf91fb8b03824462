"""The commands' own way: a registered model, `deploy` that builds its image, `status`, `rollback`, `teardown`."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from clusters import Cluster, until
from retailops import config as configuration
from retailops import targets
from retailops.cli.views import live as views
from retailops.cli.views import status as status_views
from retailops.errors import ConfigError, Unsupported
from retailops.lifecycle import deploy, monitor, rollback, status, teardown
from retailops.ports import ModelVersion, Target
from retailops.progress import Silent
from retailops.rollout.change import Steps
from rollout.shop import Shop, hurried

TEXT = """\
version: 1
project: {name: rollout-life, environment: test}
gates: {p95_ms: 2000, throughput_rps: 1}
monitor: {min_predictions: 60}
deploy:
  engine: kubernetes
  kubernetes: {context: CONTEXT, registry: REGISTRY, bake_s: 4, replicas_max: 2}
"""


def opened(folder: Path, text: str) -> Target:
    path = folder / "retail.yaml"
    path.write_text(text)
    return targets.open_target(configuration.load(path, targets=targets.settings(), algorithms=["xgboost"], environ={}))


def test_a_cluster_has_to_be_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no cluster is named") as caught:
        opened(tmp_path, TEXT.replace("context: CONTEXT", "context: ''").replace("REGISTRY", "r/x"))
    assert "deploy.kubernetes.context" in caught.value.fix


def test_what_pods_have_logged_isn_t_taken_for_nothing(tmp_path: Path) -> None:
    target = opened(tmp_path, TEXT.replace("CONTEXT", "kind-shop").replace("REGISTRY", "r/x"))
    with pytest.raises(Unsupported, match="doesn't read what pods have logged"):
        monitor.monitor(target, None, None, Silent())


def shown(view: Any, result: Any) -> str:
    page = io.StringIO()
    view(Console(file=page, width=100), result)
    print(page.getvalue())
    return page.getvalue()


@pytest.mark.slow
def test_from_a_registered_model_to_pods_and_back_to_nothing(
    cluster: Cluster,
    registry: str,
    images: dict[int, str],  # built already: the deploys below find them, or build them again if they don't
    models: dict[int, ModelVersion],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KUBECONFIG", cluster.kubeconfig)
    text = TEXT.replace("CONTEXT", cluster.context).replace("REGISTRY", f"{registry}/rollout-tests")
    target = opened(tmp_path, text)
    target.infra.apply(Silent())
    for model in models.values():
        target.models.add(target.models.record(model.run))
    serving: Any = target.serving
    serving._rewriting = lambda objects: [hurried(each) for each in cluster.aged(objects)]
    serving._steps = Steps(look_s=0.3, bake_look_s=1)
    with cluster.namespace("rollout-life-test") as namespace:
        first = deploy.deploy(target, 1, Silent()).result
        assert first["endpoint"]["image"] == images[1]
        page = shown(views.deployed, first)
        assert "not judged: P95" in page and "port-forward" in page and page.count("ready") == 2

        shop = Shop(cluster, namespace, tmp_path, images, models)
        shop.answering()
        with shop.load() as load:
            second = deploy.deploy(target, 2, Silent()).result
            assert second["endpoint"]["bake"]["requests"] > 60 and second["endpoint"]["bake"]["seconds"] == 4
            assert "class mix PSI" in shown(views.deployed, second)
            back = rollback.rollback(target, None, Silent()).result
            assert (back["from"], back["to"]) == (2, 1)
            until(lambda: load.total > 100, 30, "some requests")
        assert not load.failed, load.failures[:5]

        found = status.status(target).result
        assert found["endpoint"]["version"] == 1 and [each["version"] for each in found["served_before"]] == [2]
        assert "local-" in shown(status_views.status, found) or found["endpoint"]["pods"]

        gone = teardown.teardown(target, Silent())
        assert gone.failed is None and gone.result["left"] == []
        assert ("delete", "namespace", namespace) in [(each.action, each.kind, each.name) for each in gone.changes]
        assert not cluster.read(f"/api/v1/namespaces/{namespace}") and not (tmp_path / ".retailops").exists()
        assert teardown.teardown(target, Silent()).failed is None, "twice is harmless"
