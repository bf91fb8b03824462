"""deploy --render: what is written, and what isn't."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from emulator import Emulator, grounds
from retailops import targets
from retailops.config import Config
from retailops.errors import NotReady, RetailOpsError, UsageError
from retailops.lifecycle import deploy
from retailops.ports import Approval, ModelVersion, Run, Target
from retailops.progress import Silent
from retailops.targets.aws import serving
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.models import AwsModels
from retailops.targets.aws.packages import Packages
from retailops.targets.aws.session import Session

IMAGE = f"registry.example.org/api@sha256:{'a' * 64}"
KUBERNETES = f"deploy: {{kubernetes: {{image: '{IMAGE}', host: api.example.org%s}}}}\n"
Configured = Callable[[str], Config]


class Shelf:
    """A registry with two versions on it; the newer one was rejected."""

    def versions(self) -> list[ModelVersion]:
        run = Run("r1", "xgboost", "d1", Path("bundle"), "c" * 64, "2026-11-26T00:00:00Z", {}, {})
        return [ModelVersion(1, run), ModelVersion(2, run, Approval("rejected", "ann", "2026-11-26T00:00:00Z", "odd"))]


class NoneBuilt:
    """A registry of images with none of ours."""

    def find(self, model: ModelVersion | None) -> None:
        return None


def opened(config: Config) -> Target:
    """The target aws of an account that is known without asking."""
    session = Session(config)
    session.__dict__["account"] = "123456789012"
    target = targets.open_target(config)
    serves = serving.serving(session, NoneBuilt(), Shelf())  # type: ignore[arg-type]
    return dataclasses.replace(target, models=Shelf(), serving=serves)  # type: ignore[arg-type]


def test_all_is_written_in_the_order_of_applying(configured: Configured, tmp_path: Path) -> None:
    folder = tmp_path / "out" / "k8s"
    done = deploy.render(opened(configured(KUBERNETES % "")), 1, folder)
    files = sorted(path.name for path in folder.iterdir())
    assert [each["file"] for each in done.result["objects"]] == files
    read = [yaml.safe_load((folder / name).read_text()) for name in files]
    assert [each["kind"] for each in read] == [
        "Namespace", "ServiceAccount", "ConfigMap", "NetworkPolicy", "Service", "Deployment",
        "PodDisruptionBudget", "HorizontalPodAutoscaler", "Ingress",
    ]  # fmt: skip
    assert (done.result["version"], done.result["folder"]) == (1, str(folder))


def test_the_same_again_changes_nothing_and_what_fell_away_goes(configured: Configured, tmp_path: Path) -> None:
    folder = tmp_path / "k8s"
    folder.mkdir()
    (folder / "kustomization.yaml").write_text("mine")
    deploy.render(opened(configured(KUBERNETES % "")), 1, folder)
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    deploy.render(opened(configured(KUBERNETES % "")), 1, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
    config = configured((KUBERNETES % ", context: kind-here").replace(", host: api.example.org", ""))
    deploy.render(opened(config), 1, folder)
    assert {path.name for path in folder.iterdir()} == set(first) - {"08-ingress.yaml"}
    assert (folder / "kustomization.yaml").read_text() == "mine"


def test_what_may_not_be_deployed_is_not_written_either(configured: Configured, tmp_path: Path) -> None:
    with pytest.raises(RetailOpsError, match="rejected") as caught:
        deploy.render(opened(configured(KUBERNETES % "")), 2, tmp_path / "k8s")
    assert caught.value.code == 4
    assert not (tmp_path / "k8s").exists()


def test_a_folder_that_cannot_be_made_is_told(configured: Configured, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="can't be written"):
        deploy.render(opened(configured(KUBERNETES % "")), 1, tmp_path / "file" / "k8s")


def test_an_image_that_nobody_named_or_built_is_asked_for(configured: Configured, tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="No image") as caught:
        deploy.render(opened(configured("")), 1, tmp_path / "k8s")
    assert "deploy.kubernetes.image" in caught.value.fix


def test_without_the_stack_s_cluster_there_is_nothing_to_deploy_to(aws: Emulator, configured: Configured) -> None:
    serves = opened(configured("")).serving
    assert serves.endpoint() is None
    with pytest.raises(NotReady, match="cluster isn't there") as caught:
        serves.roll_back(None, Silent())
    assert "infra up" in caught.value.fix


@pytest.mark.slow
def test_the_command_renders_what_is_registered_in_the_account(
    aws: Emulator, configured: Configured, swift: Session, make_run: Callable[..., Run], tmp_path: Path
) -> None:
    grounds.lay(aws)
    run = make_run()
    AwsModels(Mirror(swift), Packages(swift)).add(run)
    (tmp_path / "retail.yaml").write_text("version: 1\ntarget: aws\n" + KUBERNETES % "")
    done = cli(tmp_path, "deploy", "--version", "1", "--render", "k8s")
    assert done.returncode == 0, done.stdout
    deployment = yaml.safe_load((tmp_path / "k8s" / "05-deployment.yaml").read_text())
    assert deployment["spec"]["template"]["metadata"]["annotations"] == {"retailops/bundle": run.bundle_hash}
    account = yaml.safe_load((tmp_path / "k8s" / "01-serviceaccount.yaml").read_text())
    assert f":iam::{aws.account}:role/" in account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
    checked = [str(Path(sys.executable).with_name("kubernetes-validate")), "--strict", "-k", "1.35"]
    judged = subprocess.run([*checked, *map(str, (tmp_path / "k8s").iterdir())], capture_output=True, text=True)
    assert judged.returncode == 0, judged.stdout
    assert "find schema" not in judged.stdout + judged.stderr
    shown = subprocess.run(
        [sys.executable, "-m", "retailops", "deploy", "--render", "k8s", "--quiet"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "Deployment" in shown.stdout and "not applied" in shown.stdout


def cli(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "retailops", *words, "--json", "--quiet"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)
