"""image by the command line: what is missing is told before anything is fetched or built."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from retailops.cli.views import image as views

BUILT = {
    "image": f"registry.example.org/shop@sha256:{'a' * 64}",
    "version": 3,
    "tag": "v3-12345678-abcdefabcdef",
    "bytes": 145_000_000,
    "findings": {"CRITICAL": 1, "LOW": 2},
    "packages": 23,
    "reused": False,
    "pushed": True,
    "unpacked_bytes": 408_000_000,
}


def test_without_docker_a_build_says_what_to_install(cli, monkeypatch: pytest.MonkeyPatch):
    cli("init")
    monkeypatch.setenv("PATH", str(Path.cwd()))
    refused = cli("image", "build", "--worker", "--json")
    assert refused.code == 3
    assert "docker" in refused.document["error"]["what"]


def test_a_list_without_a_registry_says_which_key_names_one(cli):
    cli("init")
    refused = cli("image", "list", "--json")
    assert refused.code == 3
    assert "deploy.kubernetes.registry" in refused.document["error"]["fix"]


def test_a_worker_of_a_version_is_refused(cli):
    cli("init")
    refused = cli("image", "build", "--worker", "--version", "1", "--json")
    assert refused.code == 2
    assert "--version" in refused.document["error"]["fix"]


def test_without_a_model_a_build_says_what_to_run_first(cli):
    cli("init")
    refused = cli("image", "build", "--json")
    assert (refused.code, refused.document["error"]["fix"]) == (3, "Run first: retailops register")


def test_what_was_built_is_told_with_its_digest_on_one_line(capsys: pytest.CaptureFixture[str]):
    views.built(Console(width=80), BUILT)
    told = capsys.readouterr().out
    assert BUILT["image"] in told and "pushed" in told
    assert "145.0 MB to pull, 408.0 MB unpacked" in told and "1 critical, 2 low" in told


def test_a_list_shows_whole_digests(capsys: pytest.CaptureFixture[str]):
    views.images(Console(width=80), {"images": [BUILT, {**BUILT, "version": None, "findings": None}]})
    told = capsys.readouterr().out
    assert told.replace("\n", "").replace(" ", "").count("a") >= 128 and "jobs" in told
    views.images(Console(width=80), {"images": []})
    assert "No image was pushed yet." in capsys.readouterr().out
