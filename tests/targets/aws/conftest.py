"""An emulated account, empty for every test, and a project in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from emulator import Emulator
from retailops import config as configuration
from retailops import targets
from retailops.config import Config
from retailops.targets.aws.session import Session
from sound_manifests import on_eks


@pytest.fixture
def configured(tmp_path: Path) -> Callable[[str], Config]:
    """The config of a file that has `target: aws` and the given text below it."""

    def load(text: str = "") -> Config:
        path = tmp_path / "retail.yaml"
        path.write_text(f"version: 1\ntarget: aws\n{text}")
        return configuration.load(path, targets=targets.settings(), algorithms=["xgboost"], environ={})

    return load


@pytest.fixture(scope="session")
def secure(tmp_path_factory: pytest.TempPathFactory) -> list[Mapping[str, Any]]:
    """The whole set of manifests on EKS, everything switched on; nobody changes it."""
    return on_eks(tmp_path_factory.mktemp("secure"))


@pytest.fixture
def session(aws: Emulator, configured: Callable[[str], Config]) -> Session:
    return Session(configured(""))


@pytest.fixture
def swift(session: Session, loaded: boto3.Session) -> Session:
    """The same as `session`, for tests that need many services and no credentials of their own."""
    session.__dict__["_boto"] = loaded
    return session


@pytest.fixture(scope="session")
def terraform_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What goes over os.environ for a Terraform that finds the real AWS provider; skips where none can be had.

    RETAILOPS_TERRAFORM_MIRROR names a folder that holds `registry.terraform.io/hashicorp/aws`; without it Terraform
    fetches the provider as it does for anybody, once, into a cache of this run.
    """
    if shutil.which("terraform") is None:
        pytest.skip("terraform isn't on the PATH: nothing here can be proved without it")
    place = tmp_path_factory.mktemp("terraform")
    cache = place / "cache"
    cache.mkdir()
    (place / "terraform.rc").write_text(_installation(os.environ.get("RETAILOPS_TERRAFORM_MIRROR", "")))
    environment = {
        "TF_CLI_CONFIG_FILE": str(place / "terraform.rc"),
        "TF_PLUGIN_CACHE_DIR": str(cache),
        "TF_IN_AUTOMATION": "1",
        "CHECKPOINT_DISABLE": "1",
    }
    (place / "main.tf").write_text(_PROVIDER)
    command = ["terraform", "init", "-no-color", "-input=false"]
    tried = subprocess.run(command, cwd=place, env={**os.environ, **environment}, capture_output=True, text=True)
    if tried.returncode != 0:
        why = " ".join(tried.stderr.split())[:150]
        pytest.skip(f"Terraform can't get the AWS provider here (RETAILOPS_TERRAFORM_MIRROR may name a mirror): {why}")
    return environment


_PROVIDER = """terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 5.0, < 7.0" }
  }
}
"""


def _installation(mirror: str) -> str:
    """The settings of Terraform's command line; nothing of the machine's own counts."""
    if not mirror:
        return ""
    return f"""provider_installation {{
  filesystem_mirror {{
    path    = "{mirror}"
    include = ["registry.terraform.io/hashicorp/aws"]
  }}
  direct {{
    exclude = ["registry.terraform.io/hashicorp/aws"]
  }}
}}
"""
