"""Fixtures of the whole suite."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import shares
from clusters import Cluster, Docker, Kubelet, ServingImage, registry_at
from retailops.progress import Silent
from retailops.retail.dataset import Dataset


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not os.environ.get("RETAILOPS_TEST_THOROUGH"):
        skipped = pytest.mark.skip(reason="thorough: RETAILOPS_TEST_THOROUGH=1 runs it")
        for each in items:
            if each.get_closest_marker("thorough"):
                each.add_marker(skipped)
    if hasattr(config, "workerinput"):
        items[:] = shares.arranged(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return shares.scheduler(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Say something that people who read the suite's output shall see, wherever the test has run."""
    return lambda text: request.node.user_properties.append(("told", text))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [each for kind in ("passed", "failed") for each in terminalreporter.getreports(kind)]
    told = [(each.nodeid, text) for each in reports for name, text in each.user_properties if name == "told"]
    if told:
        terminalreporter.section("what tests tell")
        for nodeid, text in told:
            terminalreporter.line(f"{nodeid.rpartition('::')[2]}: {text}")


@pytest.fixture(scope="session")
def real_csv_folder() -> Path:
    """The folder of real weekly CSVs that RETAILOPS_REAL_DATA names; without it the test is skipped."""
    named = os.environ.get("RETAILOPS_REAL_DATA")
    if not named:
        pytest.skip("RETAILOPS_REAL_DATA names no folder of real weekly CSV files")
    folder = Path(named)
    if not any(folder.glob("transactions_*.csv")):
        pytest.fail(f"RETAILOPS_REAL_DATA={folder} holds no transactions_YYYYWW.csv")
    return folder


@dataclass(frozen=True)
class Trained:
    """One small training of all algorithms: its output folder and what it returned."""

    folder: Path
    result: dict[str, Any]


@pytest.fixture(scope="session")
def synthetic_csvs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six synthetic weeks, 6,000 baskets: small, and enough for every gate."""
    from retailops.retail import synth

    folder = tmp_path_factory.mktemp("synthetic")
    synth.write(folder, synth.SynthOptions(baskets=6_000, weeks=6), Silent())
    return folder


@pytest.fixture(scope="session")
def small_dataset(synthetic_csvs: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The dataset of those weeks."""
    from retailops.retail import etl

    return etl.run(synthetic_csvs, tmp_path_factory.mktemp("dataset"), etl.EtlOptions(), Silent())


@pytest.fixture(scope="session")
def trained(small_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """All algorithms trained on the small dataset."""
    from retailops.retail import training

    folder = tmp_path_factory.mktemp("trained")
    return Trained(folder, training.train(small_dataset, folder, training.TrainOptions(), Silent()))


@pytest.fixture(scope="session")
def bundle_folder(trained: Trained) -> Path:
    """A real bundle. Tests that change it copy it first."""
    return trained.folder / "xgboost"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The Kubernetes cluster that KUBECONFIG names; tests/clusters says how to run one."""
    named, services = os.environ.get("KUBECONFIG"), os.environ.get("RETAILOPS_TEST_SERVICES")
    if not named:
        pytest.skip("KUBECONFIG names no cluster")
    if not services:  # whoever has a KUBECONFIG doesn't mean to lend that cluster to tests
        pytest.skip("RETAILOPS_TEST_SERVICES names no command that prints where a cluster's Services are")
    found = Cluster(named, services)
    with found.api, Kubelet(found):  # stand-in nodes have a disk to schedule on, and logs, by it alone
        yield found


@pytest.fixture(scope="session")
def docker() -> Docker:
    """The container engine behind the docker command."""
    return Docker()


@pytest.fixture(scope="session")
def registry() -> str:
    """HOST:PORT of a registry that the engine pushes to and the cluster pulls from."""
    return registry_at(os.environ.get("RETAILOPS_TEST_REGISTRY", ""))


@pytest.fixture(scope="session")
def serving_image(
    docker: Docker, registry: str, bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> ServingImage:
    """The API's image as `retailops image build` makes it, of a real bundle, in the registry."""
    from retailops import config as configuration
    from retailops import targets
    from retailops.ports import ModelVersion, Run
    from retailops.retail.bundle import Bundle

    folder = tmp_path_factory.mktemp("serving")
    file = folder / "retail.yaml"
    file.write_text(f"deploy: {{kubernetes: {{registry: {registry}/tests/serving}}}}\n")
    config = configuration.load(file, targets=targets.settings(), algorithms=["xgboost"], environ={})
    run = Run("r1", "xgboost", "d1", bundle_folder, Bundle.open(bundle_folder).hash, "2026-11-26T00:00:00Z", {}, {})
    built = targets.open_target(config).images.build(ModelVersion(3, run), Silent())
    return ServingImage(built.reference, bundle_folder)
