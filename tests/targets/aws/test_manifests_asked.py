"""What a real API server says to the manifests: to the whole sets, and to each fault of the table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pytest

from broken_manifests import BROKEN
from clusters import Cluster
from retailops.config import Config
from sound_manifests import objects_of, rendered, written


@pytest.fixture
def space(cluster: Cluster) -> Iterator[str]:
    """Objects are judged in a namespace that is there."""
    with cluster.namespace("retailops-verdicts", make=True) as name:
        yield name


def moved(objects: Iterable[Mapping[str, Any]], old: str, new: str) -> list[dict[str, Any]]:
    """The objects in another namespace; those that have been put elsewhere stay there."""
    return [{**each, "metadata": _moved(each, old, new)} for each in objects]


def _moved(found: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
    key = "name" if found["kind"] == "Namespace" else "namespace"
    metadata = dict(found["metadata"])
    return metadata | {key: new} if metadata.get(key) == old else metadata


def said(cluster: Cluster, objects: Iterable[Mapping[str, Any]]) -> list[str]:
    """What the server refuses; nothing is made. As strictly as it can: before 1.25 it knows no `fieldValidation`,
    but server-side apply refuses fields that it doesn't know in any version.
    """
    answers = [cluster.applied(each, dryRun="All", fieldValidation="Strict") for each in cluster.aged(objects)]
    assert not [each for each in answers if each.status in (401, 403, 599)], "the server has to have looked at it"
    return [each.message for each in answers if not each.fine]


def test_the_server_takes_the_sets(cluster: Cluster, space: str, configured: Callable[[str], Config]) -> None:
    elsewhere = written(context="kind-here", host="api.example.org", tls_secret="api", ingress_class="nginx")
    found = objects_of(rendered(configured(elsewhere)))
    assert said(cluster, moved(found, "retail-demo-dev", space)) == []


def test_the_server_notices_the_faults_that_the_table_says(
    cluster: Cluster, space: str, secure: list[Mapping[str, Any]], tell: Callable[[str], None]
) -> None:
    assert said(cluster, moved(secure, "retailops", space)) == []
    refused = {each.fault: said(cluster, moved(each.applied(secure), "retailops", space)) for each in BROKEN}
    expected = {each.fault for each in BROKEN if each.refused_by(cluster.served)}
    assert {fault for fault, why in refused.items() if why} == expected
    nobody = [each.fault for each in BROKEN if not refused[each.fault] and set(each.by) == {"api"}]
    assert not nobody, "neither the server nor anybody else"
    schemas, by_lint = (sum(name in each.by for each in BROKEN) for name in ("schema", "lint"))
    server = f"the API server ({'.'.join(map(str, cluster.version))}) notices {len(expected)}"
    tell(f"of {len(BROKEN)} faults {server}, schemas {schemas}, the lint {by_lint}")


def test_a_field_that_nobody_knows_is_refused_by_the_server_itself(cluster: Cluster, space: str) -> None:
    service = {"metadata": {"name": "a", "namespace": space}, "spec": {"ports": [{"port": 80, "protocol": "TCP"}]}}
    sound = {"apiVersion": "v1", "kind": "Service", **service}
    assert said(cluster, [sound]) == []
    assert "prots" in " ".join(said(cluster, [{**sound, "spec": {"prots": []}}]))
