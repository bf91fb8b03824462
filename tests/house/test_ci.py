"""What .ci brings up is ended again, what ran before is not, and what can't be had is told."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "cluster"
PARTS = ("engine", "registry", "kubernetes", "node")


class Tools:
    """Stand-ins for the scripts that bring parts up: they write down how they were called, and say what those say."""

    def __init__(self, folder: Path, running: tuple[str, ...] = (), failing: str = "", stuck: str = "") -> None:
        self.place, self.folder = folder / "the tools", folder / "out"
        self.place.mkdir()
        self.calls = folder / "calls"
        said = {"engine": "echo export DOCKER_HOST=unix:///e.sock", "registry": "echo registry at 127.0.0.1:5 >&2"}
        said |= {"kubernetes": "echo export KUBECONFIG=/k", "node": ":", "base-image": ":"}
        for name, words in said.items():
            lines = ["#!/bin/sh", f'echo "{name} $*" >> {self.calls}']
            lines += [f'if [ "{name} $*" = "{failing}" ]; then echo no such thing >&2; exit 1; fi'] if failing else []
            lines += [f'if [ "{name} $*" = "{stuck}" ]; then exec sleep 600; fi'] if stuck else []
            lines += [f"echo {name} runs already >&2"] if name in running else []
            (self.place / name).write_text("\n".join([*lines, words, ""]))
            (self.place / name).chmod(0o755)

    def begun(self, word: str) -> subprocess.Popen[str]:
        environment = os.environ | {"CLUSTER_TOOLS": str(self.place)}
        return subprocess.Popen(
            [SCRIPT, word, self.folder], env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def run(self, word: str) -> str:
        process = self.begun(word)
        _, told = process.communicate(timeout=60)
        assert process.returncode == 0, told
        return told

    def called(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []

    def ended(self) -> list[str]:
        return [each.split()[0] for each in self.called() if each.endswith(" down")]

    def environment(self) -> dict[str, str]:
        """What a shell has of it."""
        shown = f'. "{self.folder}/environment"; env -0'
        told = subprocess.run(["bash", "-c", shown], capture_output=True, text=True, env={}, check=True).stdout
        found = dict(each.split("=", 1) for each in told.split("\0") if each)
        return {name: value for name, value in found.items() if name.startswith(("KUBE", "DOCKER", "RETAILOPS"))}


def test_all_of_it_comes_up_in_order_and_is_ended_the_other_way_round(tmp_path: Path) -> None:
    tools = Tools(tmp_path)
    assert tools.run("up") == ""
    assert tools.called() == ["engine up", "base-image ", "registry up", "kubernetes build", "kubernetes up", "node up"]
    found = tools.environment()
    assert found.pop("RETAILOPS_TEST_SERVICES").replace("\\ ", " ") == f"{tools.place}/node services"
    registry = {"RETAILOPS_TEST_REGISTRY": "127.0.0.1:5"}
    assert found == {"DOCKER_HOST": "unix:///e.sock", "KUBECONFIG": "/k", **registry}
    tools.run("down")
    assert tools.ended() == ["node", "kubernetes", "registry", "engine"]
    tools.run("down")
    assert len(tools.ended()) == 4, "once"


def test_what_ran_before_goes_on(tmp_path: Path) -> None:
    tools = Tools(tmp_path, running=("engine", "kubernetes"))
    tools.run("up")
    tools.run("down")
    assert tools.ended() == ["node", "registry"]


@pytest.mark.parametrize(
    ("failing", "names", "ended"),
    [
        ("engine up", None, ["engine"]),
        ("base-image ", {"DOCKER_HOST"}, ["engine"]),
        ("kubernetes build", {"DOCKER_HOST", "RETAILOPS_TEST_REGISTRY"}, ["registry", "engine"]),
        ("node up", {"DOCKER_HOST", "RETAILOPS_TEST_REGISTRY"}, ["node", "kubernetes", "registry", "engine"]),
    ],
)
def test_what_cannot_be_had_is_told_and_the_rest_is_there(
    tmp_path: Path, failing: str, names: set[str] | None, ended: list[str]
) -> None:
    tools = Tools(tmp_path, failing=failing)
    assert "its tests skip: no such thing" in tools.run("up")
    if names is None:
        assert not (tools.folder / "environment").exists()
    else:
        assert tools.environment().keys() == names
    tools.run("down")
    assert tools.ended() == ended


@pytest.mark.parametrize(
    ("stuck", "ended"),
    [("kubernetes build", ["registry", "engine"]), ("kubernetes up", ["kubernetes", "registry", "engine"])],
)
def test_interrupted_it_goes_no_further_and_knows_what_it_began(tmp_path: Path, stuck: str, ended: list[str]) -> None:
    tools = Tools(tmp_path, stuck=stuck)
    process = tools.begun("up")
    deadline = time.monotonic() + 60
    while stuck not in tools.called():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGTERM)
    process.communicate(timeout=60)
    assert "node up" not in tools.called()
    tools.run("down")
    assert tools.ended() == ended


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose make only says what it was asked for, and with which cluster."""
    folder = tmp_path / "project"
    shutil.copytree(SCRIPT.parent, folder / ".ci")
    lines = ["setup check spark checkov:", "\t@true", "test:"]
    lines += [
        '\t@echo "$$DOCKER_HOST $$KUBECONFIG $$RETAILOPS_TEST_REGISTRY" > asked',
        "\t@echo dots",
        "\t@cat closing",
    ]
    lines += ["\t@grep -q failed closing && exit 1 || true"]
    (folder / "Makefile").write_text("\n".join([*lines, ""]))
    (folder / "closing").write_text("3 passed in 0.10s\n")
    return folder


def checked(project: Path, tools: Tools | None) -> subprocess.CompletedProcess[str]:
    """What .ci/run does in it."""
    place = str(tools.place) if tools else str(project / "nowhere")
    environment = {name: value for name, value in os.environ.items() if name not in ("DOCKER_HOST", "KUBECONFIG")}
    environment = {name: value for name, value in environment.items() if not name.startswith("RETAILOPS_")}
    return subprocess.run(
        [project / ".ci" / "run"],
        env={**environment, "CLUSTER_TOOLS": place},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(("closing", "code"), [("3 passed in 0.10s", 0), ("1 failed, 2 passed in 0.10s (0:00:00)", 2)])
def test_the_tests_see_the_cluster_which_is_ended_afterwards(
    tmp_path: Path, project: Path, closing: str, code: int
) -> None:
    tools = Tools(tmp_path)
    (project / "closing").write_text(f"{closing}\n")
    done = checked(project, tools)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (code, closing), done.stderr
    assert (project / "asked").read_text() == "unix:///e.sock /k 127.0.0.1:5\n"
    assert tools.ended() == ["node", "kubernetes", "registry", "engine"]


def test_without_the_tools_all_else_is_tested(project: Path) -> None:
    done = checked(project, None)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "3 passed in 0.10s"), done.stderr
    assert (project / "asked").read_text().split() == []


def test_a_check_that_fails_ends_the_cluster_too(tmp_path: Path, project: Path) -> None:
    tools = Tools(tmp_path, stuck="kubernetes build")
    (project / "Makefile").write_text(f"setup:\n\t@until grep -q build {tools.calls}; do sleep 0.05; done; exit 1\n")
    assert checked(project, tools).returncode != 0
    assert tools.ended() == ["registry", "engine"]


def test_both_scripts_are_sound_to_bash() -> None:
    for path in SCRIPT.parent.iterdir():
        subprocess.run(["bash", "-n", path], check=True)
