"""A project whose ETL runs on a cluster, and pods' own program on this machine."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clusters import Docker
from pods import TOY, Box, Told
from retailops import config as configuration
from retailops import targets
from retailops.config import Config
from retailops.images.registry import RegistryImages
from retailops.progress import Silent


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
    """The image of jobs, with a toy worker besides, by digest; minutes, unless the registry has it of this very code.

    RETAILOPS_TEST_WORKER names one to take instead, whatever code is in it.
    """
    context = tmp_path_factory.mktemp("image")
    base = os.environ.get("RETAILOPS_TEST_WORKER", "")
    if not base:
        settings = {"kubernetes": {"registry": f"{registry}/job-test-worker"}}
        (context / "retail.yaml").write_text(json.dumps({"version": 1, "deploy": settings}))
        found = configuration.load(
            context / "retail.yaml", targets=targets.settings(), algorithms=["xgboost"], environ={}
        )
        base = RegistryImages(found, context / "log").build(None, Silent()).reference
    shutil.copyfile(TOY, context / "toy.py")
    (context / "Dockerfile").write_text(f"FROM {base}\nCOPY toy.py /toy.py\n")
    name = f"{registry}/job-test-toy:1"
    docker.run("build", "--quiet", "--tag", name, context)
    return docker.push(name)
