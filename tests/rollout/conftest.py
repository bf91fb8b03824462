"""A namespace of a real cluster with two versions to serve there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clusters import Cluster, Docker
from conftest import Trained
from retailops.ports import ModelVersion
from retailops.progress import Silent
from rollout.shop import Kitchen, Shop, model_of


@pytest.fixture(scope="session")
def models(trained: Trained) -> dict[int, ModelVersion]:
    """Two versions, by two algorithms, so that they are told apart by what they answer."""
    return {1: model_of(1, trained.folder / "xgboost"), 2: model_of(2, trained.folder / "decision_tree")}


@pytest.fixture(scope="session")
def kitchen(docker: Docker, registry: str, tmp_path_factory: pytest.TempPathFactory) -> Kitchen:
    return Kitchen(docker, f"{registry}/rollout-tests", tmp_path_factory.mktemp("kitchen"))


@pytest.fixture(scope="session")
def images(kitchen: Kitchen, models: dict[int, ModelVersion]) -> dict[int, str]:
    return {version: kitchen.built(model) for version, model in models.items()}


@pytest.fixture(scope="module")
def opened(
    request: pytest.FixtureRequest,
    cluster: Cluster,
    images: dict[int, str],
    models: dict[int, ModelVersion],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Shop]:
    """A shop with nothing deployed; one a module."""
    name = request.module.__name__.rpartition(".")[2].replace("test_", "").replace("_", "-")
    with cluster.namespace(f"rollout-{name}-test") as namespace:
        yield Shop(cluster, namespace, tmp_path_factory.mktemp("shop"), images, models)


@pytest.fixture(scope="module")
def live(opened: Shop) -> Shop:
    """Version 1 serves."""
    opened.serving(1).roll_out(opened.models[1], Silent())
    opened.answering()
    return opened
