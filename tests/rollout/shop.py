"""A shop on a real cluster: a namespace, images of real bundles, and what may befall a rollout there."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clusters import Cluster, Docker, Load, bodies, until
from retailops import config as configuration
from retailops import manifests, targets
from retailops.config import Config
from retailops.errors import Unsupported
from retailops.images.registry import RegistryImages
from retailops.ports import Image, ModelVersion, Run
from retailops.progress import Progress, Silent
from retailops.retail.bundle import Bundle
from retailops.rollout.change import Steps
from retailops.rollout.serving import KubernetesServing
from retailops.rollout.site import Site
from retailops.tools import kube

# What tests make shorter than it is for users: the balancer of a test cluster learns within a second that a pod leaves.
PRE_STOP_S = 3
MIN_READY_S = 2

Object = Mapping[str, Any]


class Told(Silent):
    """A progress that keeps what it was told, and may do something at a stage."""

    def __init__(self, at: str = "", act: Callable[[], None] = lambda: None) -> None:
        self.stages: list[str] = []
        self.notes: list[str] = []
        self._at, self._act = at, act

    def stage(self, text: str, total: int | None = None, unit: str = "") -> None:
        self.stages.append(text)
        if self._at and text.startswith(self._at):
            self._act()

    def note(self, text: str) -> None:
        self.notes.append(text)


class NoImages:
    """Images are named in the config here."""

    def build(self, model: ModelVersion | None, progress: Progress) -> Image:
        raise Unsupported("These tests name their images.", "")

    def find(self, model: ModelVersion | None) -> Image | None:
        return None


@dataclass
class Shop:
    """A project with its namespace on the cluster."""

    cluster: Cluster
    namespace: str
    folder: Path
    images: Mapping[int, str]  # of each version
    models: Mapping[int, ModelVersion]
    settings: dict[str, str] = field(default_factory=dict)

    def config(self, version: int, **overrides: str) -> Config:
        path = self.folder / "retail.yaml"
        path.write_text("version: 1\n")
        project, _, environment = self.namespace.rpartition("-")
        known = {
            "project.name": project,
            "project.environment": environment,
            "deploy.engine": "kubernetes",
            "deploy.kubernetes.context": self.cluster.context,
            "deploy.kubernetes.image": self.images[version],
            "deploy.kubernetes.deadline_s": "150",  # on a busy machine a server takes its time to start
            "deploy.kubernetes.bake_s": "0",
            "deploy.kubernetes.replicas_max": "2",  # a busy machine mustn't look like a busy API
            "gates.p95_ms": "2000",
            "gates.throughput_rps": "1",
        }
        chosen = {**known, **self.settings, **{name.replace("__", "."): value for name, value in overrides.items()}}
        return configuration.load(
            path, targets=targets.settings(), algorithms=["xgboost"], overrides=chosen, environ={}
        )

    def serving(
        self,
        version: int,
        spoilt: Callable[[dict[str, Any]], None] | None = None,
        steps: Steps | None = None,
        **more: str,
    ) -> KubernetesServing:
        """As a target would make it, for this server, and with a fault in the Deployment where one is wanted."""
        config = self.config(version, **more)

        def rendered(model: ModelVersion, image: str) -> tuple[Any, ...]:
            return manifests.proved(manifests.elsewhere(config, model, image), manifests.CHECKS)

        def rewritten(objects: Sequence[Object]) -> Sequence[Object]:
            made = [hurried(each) for each in self.cluster.aged(objects)]
            for each in made:
                if spoilt and each["kind"] == "Deployment":
                    spoilt(each)
            return made

        return KubernetesServing(
            config, self.site(config), rendered, NoImages(), lambda: list(self.models.values()), rewritten,
            steps or Steps(look_s=0.3, bake_look_s=1),
        )  # fmt: skip

    def site(self, config: Config | None = None) -> Site:
        context, kubeconfig = self.cluster.context, self.cluster.kubeconfig
        return Site(
            lambda: kube.connect_context(context, kubeconfig), self.namespace, self.namespace,
            f"kubectl --context {context} --namespace {self.namespace}",
        )  # fmt: skip

    def load(self, service: str = "api") -> Load:
        address = self.cluster.address(self.namespace, service, 80)
        return Load(address, bodies(self.models[1].run.bundle), rps=20, threads=8)

    def answering(self, service: str = "api") -> None:
        """Wait until the balancer has heard of the pods."""

        def answered() -> bool:
            with self.load(service) as load:
                until(lambda: load.total >= 5, 30, "five requests")
            return not load.failed

        until(answered, 150, f"answers of {service}")

    def pods(self) -> list[dict[str, Any]]:
        return self.cluster.pods(self.namespace, "app.kubernetes.io/name=api")

    def read(self, path: str) -> dict[str, Any]:
        return self.cluster.read(f"/apis/apps/v1/namespaces/{self.namespace}/{path}")


def hurried(found: dict[str, Any]) -> dict[str, Any]:
    """The same with less patience: a test waits for nobody who isn't there."""
    if found["kind"] == "Deployment":
        found["spec"]["minReadySeconds"] = MIN_READY_S
        pod = found["spec"]["template"]["spec"]
        pod["terminationGracePeriodSeconds"] = PRE_STOP_S + 20
        container = pod["containers"][0]
        container["lifecycle"]["preStop"]["exec"]["command"] = ["sleep", str(PRE_STOP_S)]
        container["args"] = ["--drain-s=1" if each.startswith("--drain-s") else each for each in container["args"]]
        for probe in ("startupProbe", "readinessProbe"):
            container[probe]["periodSeconds"] = 1
        container["resources"]["requests"] |= {"cpu": "100m", "memory": "128Mi"}
    return found


def model_of(version: int, bundle: Path) -> ModelVersion:
    found = Bundle.open(bundle)
    run = Run(f"run-{version}", "xgboost", "dataset", bundle, found.hash, "2006-04-10T00:00:00+00:00", {}, {})
    return ModelVersion(version, run)


class Kitchen:
    """Images: two versions as the product builds them, and spoilt ones on top of these."""

    def __init__(self, docker: Docker, repository: str, folder: Path) -> None:
        self._docker, self._repository, self._folder = docker, repository, folder

    def built(self, model: ModelVersion) -> str:
        path = self._folder / "retail.yaml"
        path.write_text("version: 1\n")
        config = configuration.load(
            path,
            targets=targets.settings(),
            algorithms=["xgboost"],
            overrides={"deploy.kubernetes.registry": self._repository},
            environ={},
        )
        return RegistryImages(config, self._folder / "docker.log").build(model, Silent()).reference

    def spoilt(self, image: str, name: str, lines: str, files: Mapping[str, Path] | None = None) -> str:
        """The image with further lines of a Dockerfile."""
        folder = self._folder / name
        folder.mkdir()
        for place, source in (files or {}).items():
            shutil.copytree(source, folder / place)
        (folder / "Dockerfile").write_text(f"FROM {image}\n{lines}\n")
        self._docker.run("build", "--tag", f"{self._repository}:{name}", folder)
        return self._docker.push(f"{self._repository}:{name}")
