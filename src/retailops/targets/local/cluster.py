"""Floor 4, local: a cluster of one's own: deploy.kubernetes.context, with the API and the jobs that were sent there."""

from __future__ import annotations

from functools import partial
from typing import NoReturn, Protocol

from retailops import manifests
from retailops.config import Config
from retailops.errors import ConfigError, Unsupported
from retailops.ports import Change, Images, Manifest, Models, ModelVersion
from retailops.rollout.removal import NamespaceRemoval
from retailops.rollout.serving import KubernetesServing
from retailops.rollout.site import Site
from retailops.tools import kube


class Servers(Protocol):
    """What teardown asks of whatever serves."""

    def removals(self) -> list[Change]: ...
    def remove(self) -> None: ...
    def left(self) -> list[Change]: ...


class NoCluster:
    """Where none is named nothing can have been sent there."""

    def removals(self) -> list[Change]:
        return []

    def remove(self) -> None:
        return None

    def left(self) -> list[Change]:
        return []


class NoLog:
    """What was asked and answered is written in the pods, each into its own folder, which goes with it."""

    @property
    def predictions(self) -> NoReturn:
        raise Unsupported(
            "This version of retailops doesn't read what pods have logged of predictions.",
            "Each pod's /metrics has its counters, and a deploy judges them (deploy.kubernetes.bake_s). "
            "deploy.engine: auto serves where monitor can read.",
        )


def serving(config: Config, images: Images, models: Models) -> KubernetesServing:
    """ConfigError when retail.yaml names no cluster."""
    if not config.deploy.kubernetes.context:
        raise ConfigError(
            "deploy.engine is kubernetes, and no cluster is named.",
            "Set deploy.kubernetes.context to a context of your kubeconfig (kubectl config get-contexts lists them), "
            "or deploy.engine: auto.",
        )
    return KubernetesServing(config, site(config), partial(_rendered, config), images, models.versions)


def removal(config: Config) -> Servers:
    """Whatever is deployed now: what is torn down is what may have been sent there before."""
    return NamespaceRemoval(site(config)) if config.deploy.kubernetes.context else NoCluster()


def site(config: Config) -> Site:
    context, namespace = config.deploy.kubernetes.context, manifests.namespace(config)
    kubectl = f"kubectl --context {context} --namespace {namespace}"
    return Site(partial(kube.connect_context, context), namespace, namespace, kubectl)


def _rendered(config: Config, model: ModelVersion, image: str) -> tuple[Manifest, ...]:
    return manifests.proved(manifests.elsewhere(config, model, image), manifests.CHECKS)
