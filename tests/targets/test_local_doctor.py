"""The doctor on this machine: each check against a machine that lacks something."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from itertools import islice
from pathlib import Path

import psutil
import pytest
import yaml

from clusters import Cluster
from retailops.config import Config
from retailops.ports import Finding
from retailops.progress import Silent
from retailops.targets.local import cluster_doctor
from retailops.targets.local.doctor import LocalDoctor, available_mb
from retailops.targets.local.workspace import Workspace

CHEAP = 6  # findings that come before the libraries, which take seconds to load
Examine = Callable[[str], dict[str, Finding]]


@pytest.fixture
def doctor(project: Path) -> Callable[[str], LocalDoctor]:
    """The doctor of a retail.yaml that holds this."""
    from retailops import config as configuration
    from retailops import targets

    def call(text: str = "") -> LocalDoctor:
        path = project / "retail.yaml"
        path.write_text(f"version: 1\n{text}")
        config: Config = configuration.load(path, targets=targets.settings(), algorithms=["xgboost"], environ={})
        workspace = Workspace(config.settings("local").workspace.resolve(), config.project.name, config.folder)
        return LocalDoctor(workspace, config)

    return call


@pytest.fixture
def examine(doctor: Callable[[str], LocalDoctor]) -> Examine:
    """Findings by check; loading every library is left to tests of its own."""

    def look(text: str = "") -> dict[str, Finding]:
        return {each.check: each for each in islice(doctor(text).findings(Silent()), CHEAP)}

    return look


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def test_a_machine_that_has_everything_passes(examine: Examine, free_port: int) -> None:
    found = examine(f"deploy: {{port: {free_port}}}")
    assert list(found) == ["python", "input", "workspace", "disk", "memory", "port"]
    assert {each.state for each in found.values()} <= {"ok", "warning"}
    assert found["port"].what == f"{free_port} on 127.0.0.1 is free"
    assert not any(each.fix for each in found.values() if each.state == "ok")


def test_a_cluster_is_asked_for_only_where_something_runs_on_it(doctor: Callable[[str], LocalDoctor]) -> None:
    assert not [*cluster_findings(doctor(""))]
    found = cluster_findings(doctor("deploy: {engine: kubernetes}"))
    assert found["registry"].state == "failed" and "deploy.kubernetes.registry" in found["registry"].fix
    assert found["cluster"].state == "failed" and "deploy.kubernetes.context" in found["cluster"].fix


def test_a_context_that_is_not_there_fails(
    doctor: Callable[[str], LocalDoctor], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    image = f"registry.example.org/api@sha256:{'0' * 64}"
    found = cluster_findings(doctor(f"deploy: {{engine: kubernetes, kubernetes: {{context: kind, image: '{image}'}}}}"))
    assert found["registry"].state == "ok"
    assert found["cluster"].state == "failed" and "'kind'" in found["cluster"].what
    carried = cluster_findings(doctor(f"etl: {{engine: kubernetes}}\ndeploy: {{kubernetes: {{image: '{image}'}}}}"))
    assert carried["registry"].state == "failed", "the image of the API isn't the one that jobs run in"


def cluster_findings(doctor: LocalDoctor) -> dict[str, Finding]:
    return {each.check: each for each in cluster_doctor.findings(doctor._config)}


def test_input_that_is_not_there_fails(examine: Examine) -> None:
    found = examine("data: {input: nowhere.csv}")["input"]
    assert found.state == "failed" and "nowhere.csv isn't there" in found.what and "data.input" in found.fix


def test_more_input_than_the_disk_can_hold_fails(examine: Examine, project: Path) -> None:
    with (project / "huge.csv").open("wb") as file:
        file.truncate(4_000_000_000_000)  # a file of holes: it takes no space and looks as if it did
    found = examine("data: {input: huge.csv}")
    assert found["input"].state == "ok"
    assert found["disk"].state == "failed" and "8,000,300 MB wanted" in found["disk"].what


def test_more_memory_than_there_is_is_a_warning(examine: Examine) -> None:
    found = examine("etl: {memory_mb: 1000000}")["memory"]
    assert found.state == "warning" and "1,000,300 MB wanted" in found.what and "etl.memory_mb" in found.fix


def test_a_workspace_that_holds_others_files_fails(examine: Examine, project: Path) -> None:
    (project / "mine").mkdir()
    (project / "mine" / "thesis.txt").write_text("irreplaceable")
    found = examine("local: {workspace: mine}")["workspace"]
    assert found.state == "failed" and "thesis.txt" in found.what


def test_a_port_that_another_program_holds_fails_and_names_it(examine: Examine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = examine(f"deploy: {{port: {port}}}")["port"]
    assert found.state == "failed" and f"Port {port}" in found.what and "deploy.port" in found.fix


def test_a_containers_limit_is_the_memory_that_counts(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("800000000\n")
    (tmp_path / "memory.current").write_text("500000000\n")
    (tmp_path / "memory.stat").write_text("anon 100\ninactive_file 200000000\n")
    assert available_mb(tmp_path) == 500
    (tmp_path / "memory.max").write_text("max\n")
    machine = psutil.virtual_memory().available / 1e6
    assert available_mb(tmp_path) == pytest.approx(machine, rel=0.2)
    assert available_mb(tmp_path / "nothing here") == pytest.approx(machine, rel=0.2)


# libraries


def test_a_library_that_is_missing_or_too_old_is_named(tmp_path: Path) -> None:
    wanted = ["psutil>=7", "duckdb>=9999", "no-such-library>=1", "boto3>=1 ; extra == 'aws'"]
    fine, old, missing = look_at(tmp_path, wanted)
    assert fine == "psutil|"
    assert old == f"duckdb|is {metadata.version('duckdb')}, wanted is >=9999"
    assert missing == "no-such-library|isn't installed"
    assert look_at(tmp_path, ["psutil>=7", "boto3>=1 ; extra == 'aws'"], extra="aws") == ["boto3|"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("raise ImportError('libgomp.so.1 is missing')", "doesn't load: ImportError: libgomp.so.1 is missing"),
        ("import os; os._exit(3)", "doesn't load: ends Python when it is loaded (exit 3)"),
    ],
)
def test_a_library_that_does_not_load_is_named_and_the_next_is_tried(tmp_path: Path, body: str, says: str) -> None:
    installed(tmp_path, "broken", "1.0", body)
    installed(tmp_path, "sound", "1.0", "")
    assert look_at(tmp_path, ["broken>=1", "sound>=1"]) == [f"broken|{says}", "sound|"]


def installed(site: Path, name: str, version: str, body: str) -> None:
    """A package as an installer leaves it."""
    (site / f"{name}.py").write_text(f"{body}\n")
    about = site / f"{name}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def look_at(site: Path, wanted: list[str], extra: str = "") -> list[str]:
    """What `libraries` says in a Python where retailops asks for these, and `site` comes first."""
    about = site / "retailops-0.dist-info"
    about.mkdir(exist_ok=True)
    lines = ["Metadata-Version: 2.1", "Name: retailops", "Version: 0", *(f"Requires-Dist: {each}" for each in wanted)]
    (about / "METADATA").write_text("\n".join(lines) + "\n")
    script = "import sys; from retailops.tools.libraries import libraries\n"
    script += "for each in libraries(sys.argv[1]): print(each.name, each.fault, sep='|')"
    done = subprocess.run(
        [sys.executable, "-c", script, extra],
        env={"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.slow
def test_each_right_that_a_cluster_refuses_is_named(
    cluster: Cluster, doctor: Callable[[str], LocalDoctor], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = f"""
project: {{name: doctored}}
deploy: {{engine: kubernetes, kubernetes: {{context: {cluster.context}, registry: 'localhost:5000/shop'}}}}
"""
    with cluster.namespace("doctored-dev") as space:
        owned = {"app.kubernetes.io/managed-by": "retailops", "app.kubernetes.io/part-of": space}
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space, "labels": owned}})
        assert cluster_findings(doctor(config))["cluster"].state == "ok", "an administrator may do all of it"
        monkeypatch.setenv("KUBECONFIG", str(_as_somebody(cluster, space, tmp_path)))
        found = cluster_findings(doctor(config))["cluster"]
    assert found.state == "failed" and "patch deployments is refused" in found.what
    assert "create pods/proxy is refused" in found.what and "list replicasets" not in found.what


def _as_somebody(cluster: Cluster, space: str, folder: Path) -> Path:
    """A kubeconfig of an account that may look at this namespace and change nothing."""
    rules = [{"apiGroups": ["", "apps"], "resources": ["namespaces", "replicasets"], "verbs": ["get", "list"]}]
    rbac = "rbac.authorization.k8s.io"
    metadata = {"name": "somebody", "namespace": space}
    cluster.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "somebody"},
            "subjects": [{"kind": "ServiceAccount", **metadata}],
        },
    )
    token = cluster.ask("POST", f"/api/v1/namespaces/{space}/serviceaccounts/somebody/token", _TOKEN)
    assert token.fine, token
    config = yaml.safe_load(Path(cluster.kubeconfig).read_text())
    user = next(each["context"]["user"] for each in config["contexts"] if each["name"] == cluster.context)
    config["users"] = [{"name": user, "user": {"token": token.body["status"]["token"]}}]
    path = folder / "somebody.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


_TOKEN = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
