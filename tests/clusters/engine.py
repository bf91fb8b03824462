"""A container engine behind the docker command, and a registry: without them a test is skipped."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class ServingImage:
    """An image of the API in the registry, by digest, and the bundle that is in it."""

    reference: str
    bundle: Path


class Docker:
    """The docker command, with DOCKER_HOST as the environment says."""

    def __init__(self) -> None:
        found = shutil.which("docker")
        if not found:
            pytest.skip("there is no docker command on the PATH")
        self._program = found
        asked = subprocess.run([found, "version", "--format", "{{.Server.Version}}"], capture_output=True, text=True)
        if asked.returncode:
            where = os.environ.get("DOCKER_HOST", "its default place (DOCKER_HOST is unset)")
            pytest.skip(f"no container engine at {where}: {asked.stderr.strip()[-200:]}")
        self.version = asked.stdout.strip()

    def run(self, *words: str | Path, seconds: float = 600) -> str:
        """stdout of `docker …`. AssertionError with its stderr when it fails."""
        command = [self._program, *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
        assert done.returncode == 0, f"docker {' '.join(map(str, words))}\n{done.stderr[-2000:]}"
        return done.stdout

    def has(self, image: str) -> bool:
        return subprocess.run([self._program, "image", "inspect", image], capture_output=True).returncode == 0

    def push(self, image: str) -> str:
        """IMAGE@sha256:… after pushing it."""
        self.run("push", "--quiet", image)
        repository, _, _ = image.rpartition(":")
        digests = self.run("image", "inspect", "--format", "{{range .RepoDigests}}{{println .}}{{end}}", image).split()
        return next(each for each in digests if each.startswith(f"{repository}@"))


def registry_at(address: str) -> str:
    """The address, when a registry answers there."""
    if not address:
        pytest.skip("RETAILOPS_TEST_REGISTRY names no registry")
    host, _, port = address.partition(":")
    secure = host not in ("127.0.0.1", "localhost")
    connection = (http.client.HTTPSConnection if secure else http.client.HTTPConnection)(
        host, int(port or 443 if secure else port or 80), timeout=10
    )
    try:
        connection.request("GET", "/v2/")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as problem:
        pytest.skip(f"no registry at RETAILOPS_TEST_REGISTRY={address}: {problem}")
    finally:
        connection.close()
    if status not in (200, 401):
        pytest.skip(f"what answers at RETAILOPS_TEST_REGISTRY={address} is no registry ({status})")
    return address
