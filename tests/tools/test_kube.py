"""The few words with a Kubernetes API, over real HTTP with a stand-in that knows only these."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emulator.cluster_api import ClusterApi
from retailops.tools import kube
from retailops.tools.kube import Entrance, Unreachable


@pytest.fixture
def api() -> Iterator[ClusterApi]:
    with ClusterApi() as running:
        running.ingresses = {"api": "shop", "admin": "ops"}
        running.services = {"edge": ("shop", "LoadBalancer"), "api": ("shop", "ClusterIP")}
        yield running


def test_ingresses_and_balanced_services_of_all_namespaces_are_entrances(api: ClusterApi) -> None:
    with kube.connect(api.url, "", "secret") as cluster:
        found = kube.entrances(cluster)
    assert set(found) == {
        Entrance("Ingress", "shop", "api"),
        Entrance("Ingress", "ops", "admin"),
        Entrance("Service", "shop", "edge"),
    }
    assert set(api.tokens) == {"Bearer secret"}


def test_an_entrance_is_deleted_and_twice_is_harmless(api: ClusterApi) -> None:
    with kube.connect(api.url, "", "secret") as cluster:
        for _ in range(2):
            kube.delete_entrance(cluster, Entrance("Ingress", "shop", "api"))
            kube.delete_entrance(cluster, Entrance("Service", "shop", "edge"))
    assert set(api.ingresses) == {"admin"} and set(api.services) == {"api"}


@pytest.mark.parametrize("nodes", [0, 2])
def test_whether_a_controller_can_run_is_asked(api: ClusterApi, nodes: int) -> None:
    api.nodes = nodes
    with kube.connect(api.url, "", "secret") as cluster:
        assert kube.has_nodes(cluster) is (nodes > 0)


def test_a_cluster_that_lets_us_not_in_is_unreachable(api: ClusterApi) -> None:
    api.refuse = 403
    with kube.connect(api.url, "", "secret") as cluster, pytest.raises(Unreachable, match="refuses: 403") as refused:
        kube.entrances(cluster)
    assert "access entry" in refused.value.fix


def test_a_cluster_that_isn_t_there_is_unreachable() -> None:
    with (
        kube.connect("http://127.0.0.1:9", "", "secret") as cluster,
        pytest.raises(Unreachable, match="can't be reached"),
    ):
        kube.entrances(cluster)
