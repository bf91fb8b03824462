"""What a rollout refuses, survives and cleans up, on a real cluster."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from clusters import Cluster, Load, until
from retailops.errors import GateFailed, Interrupted, NotReady, TargetFailed
from retailops.progress import Silent
from retailops.retail import bundle as bundles
from retailops.retail.predictor import KEYS, Basket, Predictor
from retailops.rollout import lock
from retailops.rollout.change import Steps
from retailops.rollout.removal import NamespaceRemoval
from rollout.shop import Kitchen, Shop, Told

pytestmark = pytest.mark.slow

UNPROVED = Steps(candidate=False, look_s=0.3, bake_look_s=1)
HERE = Path(__file__).parent


def untouched(shop: Shop, act: Callable[[], None]) -> None:
    """`act` leaves the pods of the API as they were, and nothing beside them."""
    before = {each["metadata"]["uid"] for each in shop.pods()}
    act()
    assert {each["metadata"]["uid"] for each in shop.pods()} == before
    assert not shop.cluster.pods(shop.namespace, "app.kubernetes.io/name=api-candidate")


def maps(shop: Shop) -> set[str]:
    found = shop.cluster.read(f"/api/v1/namespaces/{shop.namespace}/configmaps")["items"]
    return {each["metadata"]["name"] for each in found if each["metadata"]["name"].startswith("api-")}


def skewed(bundle: Path, folder: Path) -> Path:
    """A bundle that is whole in itself, and computes one feature differently."""
    files = {each.name: each.read_bytes() for each in bundle.iterdir() if each.name != bundles.MANIFEST}
    encoder = json.loads(files[bundles.ENCODER])
    next(each for each in encoder["features"] if each["name"] == "quantity")["kind"] = "max"
    files[bundles.ENCODER] = json.dumps(encoder).encode()
    golden = json.loads(files[bundles.GOLDEN])
    predictor = Predictor(bundles.write(folder, files), 2)
    found = predictor.predict(msgspec.convert([row["basket"] for row in golden], list[Basket]))
    for row, scored in zip(golden, found, strict=True):
        row["features"], row["prediction"] = scored.features, scored.prediction.prediction
        row["probabilities"] = {key: scored.prediction.probabilities[key] for key in KEYS}
    bundles.write(folder, {**files, bundles.GOLDEN: json.dumps(golden).encode()})
    return folder


def test_one_feature_that_is_computed_differently_stops_the_deploy_before_traffic_moves(
    live: Shop, kitchen: Kitchen, tmp_path: Path
) -> None:
    wrong = skewed(live.models[2].run.bundle, tmp_path / "bundle")
    image = kitchen.spoilt(live.images[2], "skewed", "COPY bundle /bundle", {"bundle": wrong})

    def deploy() -> None:
        with pytest.raises(TargetFailed, match="feature quantity is") as caught:
            live.serving(2, deploy__kubernetes__image=image).roll_out(live.models[2], Silent())
        assert "isn't what was trained" in caught.value.what
        assert "Version 1 keeps serving: it wasn't touched" in caught.value.fix

    untouched(live, deploy)


@pytest.mark.thorough
def test_another_version_s_image_is_no_version_two(live: Shop) -> None:
    def deploy() -> None:
        with pytest.raises(TargetFailed, match="isn't what was trained"):
            live.serving(2, deploy__kubernetes__image=live.images[1]).roll_out(live.models[2], Silent())

    untouched(live, deploy)


def test_what_is_live_already_is_proved_again_and_kept(live: Shop) -> None:
    told = Told()
    untouched(live, lambda: live.serving(1).roll_out(live.models[1], told) and None)
    assert "proving version 1, which is live already" in told.stages
    assert not [each for each in told.stages if each.startswith(("starting", "replacing"))]


def test_what_somebody_else_set_is_told_and_not_overwritten(live: Shop) -> None:
    path = f"/apis/apps/v1/namespaces/{live.namespace}/deployments/api"
    other = {"spec": {"template": {"spec": {"containers": [{"name": "api", "imagePullPolicy": "Always"}]}}}}
    content = "application/strategic-merge-patch+json"
    assert live.cluster.ask("PATCH", path, other, content, fieldManager="kubectl-edit").fine
    until(lambda: live.cluster.ready(live.namespace, "api"), 60, "the edited pods")

    def deploy() -> None:
        with pytest.raises(TargetFailed, match="imagePullPolicy is set by kubectl-edit") as caught:
            live.serving(2).roll_out(live.models[2], Silent())
        assert "--force-conflicts --field-manager=retailops" in caught.value.fix
        assert caught.value.details["conflicts"][0]["manager"] == "kubectl-edit"

    untouched(live, deploy)
    found = live.serving(1).endpoint()
    assert found and ("kubectl-edit", "was changed") in [(each["by"], each["what"]) for each in found.detail["drift"]]
    # What the fix says, by hand: as retailops, with force.
    as_ours = {**_rendered(live), "metadata": {"name": "api", "namespace": live.namespace}}
    assert live.cluster.applied(as_ours, "retailops").fine
    live.serving(1).roll_out(live.models[1], Silent())
    found = live.serving(1).endpoint()
    assert found and found.detail["drift"] == []


def _rendered(shop: Shop) -> dict[str, Any]:
    serving = shop.serving(1)
    objects = [dict(each) for one in serving.rendering()(shop.models[1]) for each in one.objects]
    return next(dict(each) for each in serving._rewriting(objects) if each["kind"] == "Deployment")


def test_two_at_once_the_second_is_told_who_is_at_it(live: Shop) -> None:
    with (
        live.site().connect() as cluster,
        lock.Lock(cluster, live.namespace, "deploy of version 9", Silent()),
        pytest.raises(TargetFailed, match=r"deploy of version 9 by .* is changing the API") as caught,
    ):
        live.serving(2).roll_out(live.models[2], Silent())
    assert "free" in caught.value.fix and caught.value.details["since"]
    live.serving(1).roll_out(live.models[1], Silent())


@pytest.mark.thorough
def test_a_lock_whose_holder_shows_no_life_is_taken_over(live: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "LEASE_S", 2.0)
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": lock.NAME, "namespace": live.namespace},
        "spec": {"holderIdentity": "deploy of version 8 by ann on another-machine (process 1)"},
    }
    live.cluster.apply(lease)
    told = Told()
    live.serving(1).roll_out(live.models[1], told)
    assert any("it died: deploy of version 8 by ann" in note for note in told.notes)
    assert not live.cluster.read(f"/apis/coordination.k8s.io/v1/namespaces/{live.namespace}/leases/{lock.NAME}")


@pytest.mark.parametrize(
    "stage",
    [pytest.param("proving version 2", marks=pytest.mark.thorough), "proving every pod of version 2"],
)
def test_a_deploy_that_was_killed_is_run_again(live: Shop, stage: str, tmp_path: Path) -> None:
    order = {
        "kubeconfig": live.cluster.kubeconfig,
        "services": "true",
        "namespace": live.namespace,
        "folder": str(tmp_path),
        "image": live.images[2],
        "bundle": str(live.models[2].run.bundle),
        "version": "2",
        "at": stage,
    }
    died = subprocess.run([sys.executable, "-m", "rollout.dying", json.dumps(order)], cwd=HERE.parent, timeout=120)
    assert died.returncode == -signal.SIGKILL
    told = Told()
    found = live.serving(2).roll_out(live.models[2], told)
    assert found.version == 2 and [each.version for each in found.before] == [1]
    assert any("since it died" in note for note in told.notes)
    assert not live.cluster.pods(live.namespace, "app.kubernetes.io/name=api-candidate")
    assert live.serving(1).roll_back(None, Silent()).version == 1


@pytest.mark.parametrize(
    "stage",
    [pytest.param("proving version 2", marks=pytest.mark.thorough), "proving every pod of version 2"],
)
def test_ctrl_c_in_the_middle_leaves_the_old_version_and_says_so(live: Shop, stage: str) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match=r"[Vv]ersion 1 keeps serving"):
        live.serving(2).roll_out(live.models[2], Told(stage, interrupt))
    found = live.serving(1).endpoint()
    assert found and found.version == 1 and live.cluster.ready(live.namespace, "api")


@pytest.mark.thorough
def test_a_version_that_left_the_registry_doesn_t_come_back(live: Shop) -> None:
    forgetful = Shop(live.cluster, live.namespace, live.folder, live.images, {1: live.models[1]})
    with pytest.raises(NotReady, match="registry doesn't have any more"):
        forgetful.serving(1).roll_back(2, Silent())


@pytest.mark.thorough
def test_config_maps_that_nothing_names_any_more_are_pruned(live: Shop) -> None:
    def forgetful(deployment: dict[str, Any]) -> None:
        deployment["spec"]["revisionHistoryLimit"] = 0

    (first,) = maps(live)
    second = live.serving(1, forgetful, UNPROVED, deploy__max_lines="301")
    second.roll_out(live.models[1], Silent())
    until(lambda: len(live.read("replicasets")["items"]) == 1, 30, "the end of the ReplicaSet before")
    second.roll_out(live.models[1], Silent())
    (kept,) = maps(live)
    assert kept != first
    live.serving(1, steps=UNPROVED).roll_out(live.models[1], Silent())
    assert maps(live) == {first, kept}, "it is remembered, so a rollback finds its limits"


def test_a_quota_without_room_is_told_before_and_in_the_middle(live: Shop) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small", "namespace": live.namespace},
        "spec": {"hard": {"pods": "2"}},
    }
    live.cluster.apply(quota)
    path = f"/api/v1/namespaces/{live.namespace}/resourcequotas/small"
    until(lambda: live.cluster.read(path).get("status", {}).get("used"), 30, "the quota's own count")
    try:
        with pytest.raises(TargetFailed, match="exceeded quota") as caught:
            live.serving(2).roll_out(live.models[2], Silent())
        assert "deploy.kubernetes" in caught.value.fix and "it wasn't touched" in caught.value.fix
        hurry = live.serving(2, steps=UNPROVED, deploy__kubernetes__deadline_s="10")
        with pytest.raises(TargetFailed, match=r"(?s)No further pod is made: .*exceeded quota") as caught:
            hurry.roll_out(live.models[2], Silent())
        assert "It was undone: version 1 keeps serving" in caught.value.fix
    finally:
        live.cluster.ask("DELETE", path)


def test_a_version_that_answers_oddly_under_traffic_is_taken_back(live: Shop) -> None:
    rows = json.loads((live.models[1].run.bundle / bundles.GOLDEN).read_text())
    alike = [json.dumps(row["basket"]).encode() for row in rows if row["prediction"] == "MM"]
    address = live.cluster.address(live.namespace, "api", 80)
    settings = {"deploy__kubernetes__bake_s": "20", "monitor__min_predictions": "60"}
    with Load(address, alike, rps=30, threads=8) as load:
        with pytest.raises(GateFailed, match="isn't good enough: class mix PSI") as caught:
            live.serving(2, steps=UNPROVED, **settings).roll_out(live.models[2], Silent())
        assert "It was undone: version 1 keeps serving" in caught.value.fix
        until(lambda: load.total > 50, 30, "some requests")
    print(f"taken back after baking: {load}")
    assert not load.failed, load.failures[:5]


@pytest.mark.thorough
def test_logs_come_from_every_pod(live: Shop) -> None:
    names = {each["metadata"]["name"] for each in live.pods()}
    found = until(lambda: _complete(list(live.serving(1).logs(20, False)), names), 30, "the logs of all pods")
    assert any("serves on" in line for line in found)


def _complete(lines: list[str], names: set[str]) -> list[str]:
    return lines if {line.partition(": ")[0] for line in lines} >= names else []


def test_the_last_words_of_a_crash_are_in_the_error(live: Shop) -> None:
    def crashing(deployment: dict[str, Any]) -> None:
        deployment["spec"]["template"]["spec"]["containers"][0]["args"][0] = "--bundle=/nowhere"

    with pytest.raises(TargetFailed, match=r"(?s)Its last words:.*nowhere"):
        live.serving(2, crashing).roll_out(live.models[2], Silent())


@pytest.fixture
def empty(cluster: Cluster, live: Shop, tmp_path: Path) -> Iterator[Shop]:
    with cluster.namespace("rollout-first-test") as namespace:
        yield Shop(cluster, namespace, tmp_path, live.images, live.models)


def test_a_first_deploy_that_fails_leaves_nothing(empty: Shop) -> None:
    def crashing(deployment: dict[str, Any]) -> None:
        deployment["spec"]["template"]["spec"]["containers"][0]["args"][0] = "--bundle=/nowhere"

    for steps in (None, UNPROVED):
        with pytest.raises(TargetFailed, match="exit code") as caught:
            empty.serving(1, crashing, steps).roll_out(empty.models[1], Silent())
        assert "what was made for this attempt was removed again" in caught.value.fix
        until(lambda: not empty.cluster.read(f"/api/v1/namespaces/{empty.namespace}"), 60, "the end of the namespace")
    assert empty.serving(1).endpoint() is None
    with pytest.raises(NotReady, match="Nothing is deployed"):
        empty.serving(1).roll_back(None, Silent())


def test_teardown_removes_the_namespace_and_looks_for_it(empty: Shop) -> None:
    removal = NamespaceRemoval(empty.site())
    assert removal.removals() == [] and removal.left() == []
    empty.serving(1, steps=UNPROVED).roll_out(empty.models[1], Silent())
    assert [(each.action, each.kind, each.name) for each in removal.removals()] == [
        ("delete", "namespace", empty.namespace)
    ]
    assert [each.action for each in removal.left()] == ["left"]
    removal.remove()
    assert removal.left() == []
    removal.remove()


def test_a_namespace_of_somebody_else_is_neither_used_nor_removed(empty: Shop) -> None:
    empty.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": empty.namespace}})
    removal = NamespaceRemoval(empty.site())
    removal.remove()
    assert removal.removals() == [] and empty.cluster.read(f"/api/v1/namespaces/{empty.namespace}")
    with pytest.raises(TargetFailed, match="isn't this project's") as caught:
        empty.serving(1).roll_out(empty.models[1], Silent())
    assert "kubectl label namespace" in caught.value.fix
