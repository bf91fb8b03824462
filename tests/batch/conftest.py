"""A project whose ETL runs on a cluster, and pods' own program on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clusters import Docker
from pods import Box, Told, worker_image_of
from retailops import config as configuration
from retailops import targets
from retailops.config import Config


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def configured(tmp_path: Path) -> Callable[..., Config]:
    """The config of a project called `name` with an ETL on the cluster of `context`."""

    def load(name: str = "shop", context: str = "kind-shop", **etl: Any) -> Config:
        path = tmp_path / "retail.yaml"
        sections = {"project": {"name": name}, "etl": {"engine": "kubernetes", **etl}}
        text = json.dumps({"version": 1, **sections, "deploy": {"kubernetes": {"context": context}}})
        path.write_text(text)
        return configuration.load(path, targets=targets.settings(), algorithms=["xgboost"], environ={})

    return load


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Callable[..., Box]]:
    """Starts one; all are gone afterwards."""
    begun: list[Box] = []

    def start(*words: str) -> Box:
        begun.append(Box(tmp_path / f"pod{len(begun)}", *words))
        return begun[-1]

    yield start
    for each in begun:
        each.end()


@pytest.fixture(scope="session")
def worker_image(docker: Docker, registry: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image of jobs, with a toy worker besides, by digest."""
    return worker_image_of(docker, registry, tmp_path_factory.mktemp("image"))
