"""An emulated account, empty for every test, and a project in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest

from emulator import Emulator
from retailops import config as configuration
from retailops import targets
from retailops.config import Config
from retailops.targets.aws.session import Session


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture
def aws(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """The account, and an environment that leads to it and to no other."""
    emulator.reset()
    for name in [each for each in os.environ if each.startswith("AWS_") and each != "AWS_CA_BUNDLE"]:
        monkeypatch.delenv(name)
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    return emulator


@pytest.fixture
def configured(tmp_path: Path) -> Callable[[str], Config]:
    """The config of a file that has `target: aws` and the given text below it."""

    def load(text: str = "") -> Config:
        path = tmp_path / "retail.yaml"
        path.write_text(f"version: 1\ntarget: aws\n{text}")
        return configuration.load(path, targets=targets.settings(), algorithms=["xgboost"], environ={})

    return load


@pytest.fixture
def session(aws: Emulator, configured: Callable[[str], Config]) -> Session:
    return Session(configured(""))


@pytest.fixture(scope="session")
def loaded() -> boto3.Session:
    """Descriptions of services, once read: twenty of them take seconds."""
    return boto3.Session("testing", "testing", "testing", region_name=Emulator.region)


@pytest.fixture
def swift(session: Session, loaded: boto3.Session) -> Session:
    """The same as `session`, for tests that need many services and no credentials of their own."""
    session.__dict__["_boto"] = loaded
    return session
