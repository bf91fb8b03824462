"""Floor 4, aws: the API on the stack's EKS, or on another cluster that serves this account's models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from retailops import manifests
from retailops.errors import NotReady
from retailops.ports import Images, Models
from retailops.rollout.removal import NamespaceRemoval
from retailops.rollout.serving import KubernetesServing
from retailops.rollout.site import NoCluster, Site
from retailops.targets.aws import cluster as clusters
from retailops.targets.aws.session import Session
from retailops.targets.aws.workload import NAMESPACE, rendered
from retailops.tools import kube


def serving(session: Session, images: Images, models: Models) -> KubernetesServing:
    return KubernetesServing(session.config, site(session), partial(rendered, session), images, models.versions)


def removal(session: Session) -> NamespaceRemoval | None:
    """On another cluster the namespace outlives the stack; on EKS it goes with its cluster."""
    return NamespaceRemoval(site(session)) if session.config.deploy.kubernetes.context else None


def site(session: Session) -> Site:
    context, prefix = session.config.deploy.kubernetes.context, manifests.namespace(session.config)
    if context:
        kubectl = f"kubectl --context {context} --namespace {prefix}"
        return Site(partial(kube.connect_context, context), prefix, prefix, kubectl)
    # `aws eks update-kubeconfig` names the context after the cluster's ARN, and makes it the current one.
    kubectl = f"aws eks update-kubeconfig --region {session.settings.region} --name {prefix} && "
    return Site(partial(_on_eks, session), NAMESPACE, prefix, f"{kubectl}kubectl --namespace {NAMESPACE}")


@contextmanager
def _on_eks(session: Session) -> Iterator[kube.Cluster]:
    cluster = clusters.described(session)
    if cluster is None:
        raise NoCluster("The stack's cluster isn't there.", "Run: retailops infra up")
    if cluster.get("status") != "ACTIVE":
        raise NotReady(
            f"The cluster {cluster['name']} is {cluster.get('status')}.",
            "Wait until it is ACTIVE: retailops infra status",
        )
    with clusters.connected(session, cluster) as found:
        yield found
