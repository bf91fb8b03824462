"""A real target in a temporary folder, and what several suites put into it."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import boto3
import pytest

from emulator import Emulator, Executor, grounds
from retailops import config as configuration
from retailops import targets
from retailops.config import Config
from retailops.ports import Run, Target
from retailops.retail import bundle as bundles
from retailops.targets.aws.jobs import AwsJobs, Patience
from retailops.targets.local.jobs import LocalJobs
from retailops.targets.local.tracking import Mirror
from retailops.targets.local.workspace import Workspace

HERE = Path(__file__).parent


class Watcher:
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []

    def stage(self, text: str, total: int | None = None, unit: str = "") -> None:
        self.told.append(("stage", (text, total, unit)))

    def advance(self, done: int) -> None:
        self.told.append(("advance", done))

    def note(self, text: str) -> None:
        self.told.append(("note", text))


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture
def settled() -> Callable[[Callable[[], bool]], None]:
    """Wait until a condition holds; fail when it doesn't within a generous time."""

    def wait(condition: Callable[[], bool], seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.01)

    return wait


def load(folder: Path, text: str = "") -> Config:
    path = folder / "retail.yaml"
    path.write_text(f"version: 1\n{text}")
    return configuration.load(path, targets=targets.settings(), algorithms=["xgboost"], environ={})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The folder of retail.yaml."""
    folder = tmp_path / "my project"  # with a space, as people have them
    folder.mkdir()
    return folder


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


@pytest.fixture(scope="session")
def loaded() -> boto3.Session:
    """Descriptions of services, once read: twenty of them take seconds."""
    return boto3.Session("testing", "testing", "testing", region_name=Emulator.region)


# Suites and single promises that a target doesn't take part in, and why.
ABSENT = {
    "local": {},
    "aws": {
        "test_contract_infra": "Terraform takes minutes there: aws/test_stack.py has its whole life",
        "test_contract_serving": "it takes a cluster: tests/rollout has it on a real one",
        "test_contract_watch": "this version has no monitoring on aws",
    },
}

# Suites that take a target seconds: of these only the promises named are held by the fast tests too.
SLOW = {
    "aws": {
        "test_contract_features": {
            "test_online_has_the_newest_record_of_each_key",
            "test_the_same_version_twice_is_done_once",
            "test_history_gives_the_newest_record_strictly_before_the_moment",
        },
        "test_contract_jobs": {"test_a_job_leaves_its_output_and_a_result"},
        "test_contract_lake": {"test_the_same_contents_give_the_same_raw", "test_one_file_is_fine_too"},
        "test_contract_models": {"test_versions_count_up_and_a_bundle_keeps_its_own"},
    },
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        chosen = str(getattr(item, "callspec", None) and item.callspec.params.get("target"))  # type: ignore[attr-defined]
        fast = SLOW.get(chosen, {}).get(item.path.stem)
        if fast is not None and item.originalname not in fast:  # type: ignore[attr-defined]
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def machines(aws: Emulator, tmp_path: Path) -> Iterator[Executor]:
    """SageMaker's machines over an account where everything stands that jobs need."""
    grounds.lay(aws)
    with Executor(aws, tmp_path / "machines") as running:
        yield running


@pytest.fixture(params=[*ABSENT])
def target(request: pytest.FixtureRequest, project: Path) -> Target:
    """Every target that a contract suite runs on: add its name to the list, and what it needs below."""
    suite, promise = request.node.path.stem, request.node.originalname
    for each in (suite, promise):
        if why := ABSENT[request.param].get(each):
            pytest.skip(f"{request.param} isn't in {each}: {why}")
    if request.param == "aws":
        request.getfixturevalue("machines")
        grounds.store(request.getfixturevalue("aws"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # Gates that a busy machine meets too.
    served = f"deploy: {{port: {port}}}\ngates: {{p95_ms: 5000, throughput_rps: 1}}\n"
    found = targets.open_target(load(project, f"target: {request.param}\n{served}"))
    if isinstance(found.jobs, AwsJobs):
        found.jobs._patience = Patience(look=0.05)
        found.jobs._session.__dict__["_boto"] = request.getfixturevalue("loaded")
    return found


@pytest.fixture
def reopen(target: Target, project: Path) -> Callable[[dict[str, str]], Target]:
    """The same target with other settings: dotted key → text."""

    def opened(settings: dict[str, str]) -> Target:
        path = project / "retail.yaml"
        found = configuration.load(
            path, targets=targets.settings(), algorithms=["xgboost"], overrides=settings, environ={}
        )
        return targets.open_target(found)

    return opened


@pytest.fixture
def workspace(project: Path) -> Workspace:
    return Workspace(project / ".retailops", "retail-demo", project)


@pytest.fixture(scope="session")
def blank_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's tables with nothing in them; making them takes seconds, so most tests start from a copy."""
    folder = tmp_path_factory.mktemp("blank")
    Mirror(folder, "unused").add([], {})
    with sqlite3.connect(folder / "mlflow.db") as connection:
        connection.execute("DELETE FROM experiments WHERE name = 'unused'")
    connection.close()
    return folder / "mlflow.db"


@pytest.fixture
def prepared(workspace: Workspace, blank_database: Path) -> Workspace:
    """A workspace that stands already, MLflow's tables included."""
    workspace.claim()
    shutil.copyfile(blank_database, workspace.folder / "mlflow.db")
    return workspace


@pytest.fixture
def toy_jobs(workspace: Workspace) -> LocalJobs:
    """Real child processes of the real worker, with a `train` that behaves as its parameters say."""
    return LocalJobs(workspace, worker=toy_worker())


def toy_worker() -> Sequence[str]:
    return (sys.executable, "-P", str(HERE / "retailops_toy_worker.py"))


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Run]:
    """A run with a small bundle that is whole but holds no model."""

    def make(model: bytes = b"model", dataset: str = "d1", algorithm: str = "xgboost") -> Run:
        folder = tmp_path / "made" / hashlib.sha256(model).hexdigest()[:8]
        bundle = bundles.write(folder, {bundles.MODEL: model, bundles.CARD: b"{}"})
        return Run(
            id=hashlib.sha256(f"{dataset} {algorithm} {bundle.hash}".encode()).hexdigest()[:12],
            algorithm=algorithm,
            dataset=dataset,
            bundle=folder,
            bundle_hash=bundle.hash,
            created="2026-01-02T03:04:05+00:00",
            parameters={"max_depth": 4, "leanings": {"folds": 5, "weights": ["one"]}},
            scorecard={
                "accuracy": 0.9,
                "macro_f1": 0.8,
                "precision": {"LA": 0.7, "MM": 0.9, "UM": 0.8},
                "confusion": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
                "pricing_error": 0.05,
            },
        )

    return make
