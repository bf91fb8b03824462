"""What status finds: each way in which what is live isn't what registry, store and file would make one think."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from retailops import config, targets
from retailops.config import Config
from retailops.lifecycle import differences
from retailops.ports import PENDING, Approval, Endpoint, ModelVersion, Publication, Run, Served

NOW = "2026-01-02T03:04:05+00:00"
REJECTED = Approval("rejected", "ann", NOW, "too few weeks")
APPROVED = Approval("approved", "bob", NOW)


def version(number: int, approval: Approval = PENDING) -> ModelVersion:
    return ModelVersion(number, Run(f"r{number}", "xgboost", "d", Path(), f"{number}" * 64, NOW, {}, {}), approval)


def endpoint(number: int = 1, **more: Any) -> Endpoint:
    told = {"bundle_hash": f"{number}" * 64, **more.pop("detail", {})}
    return Endpoint("http://api", number, **{"state": "ready", "since": NOW, "detail": told, **more})


def store(of: int) -> list[Publication]:
    return [Publication("product", f"{of}" * 16, 1, 1, {}, 1, NOW)]


@pytest.fixture
def settings(tmp_path: Path) -> Config:
    return loaded(tmp_path, "")


def loaded(folder: Path, text: str) -> Config:
    (folder / "retail.yaml").write_text(f"version: 1\n{text}")
    return config.load(folder / "retail.yaml", targets=targets.settings(), algorithms=["xgboost"], environ={})


def checks(*given: Any) -> list[str]:
    return [each.check for each in differences.found(*given)]


def test_where_nothing_differs_nothing_is_found(settings: Config) -> None:
    live = endpoint(settings={"deploy.max_lines": 500, "monitor.retention_days": 14})
    assert checks(live, [version(1)], store(of=1), settings) == []
    assert checks(live, [version(1)], [], settings) == [], "a store without product features says nothing wrong"


@pytest.mark.parametrize(
    ("check", "live", "versions", "published", "says", "fix"),
    [
        (
            "endpoint",
            endpoint(state="unreachable", detail={"why": "the server is gone"}),
            [version(1)],
            [],
            "Version 1 is unreachable: the server is gone.",
            "retailops deploy --version 1",
        ),
        ("registry", endpoint(4), [version(1)], [], "the registry has no such version", "retailops models list"),
        (
            "registry",
            endpoint(detail={"bundle_hash": "beef" * 16}),
            [version(1)],
            [],
            "the bundle beefbeefbeef, and the registry's is 111111111111",
            "retailops deploy --version 1",
        ),
        (
            "approval",
            endpoint(),
            [version(1, REJECTED)],
            [],
            "rejected by ann on 2026-01-02: too few weeks.",
            "rollback",
        ),
        (
            "newer version",
            endpoint(),
            [version(1), version(2)],
            [],
            "Version 2 is registered and not live.",
            "--version 2",
        ),
        (
            "newer version",
            endpoint(),
            [version(1), version(2, APPROVED), version(3, REJECTED)],
            [],
            "Version 2 is approved and not live.",
            "retailops deploy --version 2",
        ),
        (
            "features",
            endpoint(),
            [version(1)],
            store(of=2),
            "of bundle 2222222222222222; live is version 1",
            "retailops deploy --version 1",
        ),
        (
            "settings",
            endpoint(settings={"deploy.max_lines": 77}),
            [version(1)],
            [],
            "retail.yaml says: deploy.max_lines is 77, there 500.",
            "retailops deploy --version 1",
        ),
        (
            "rollout",
            endpoint(detail={"rolling": {"from": 1, "to": 2}}),
            [version(1)],
            [],
            "Version 2 is taking the place of version 1",
            "retailops deploy --version 1",
        ),
        (
            "pod",
            endpoint(detail={"pods": [{"pod": "api-1", "trouble": ""}, {"pod": "api-2", "trouble": "it crashed"}]}),
            [version(1)],
            [],
            "The pod api-2 isn't ready: it crashed",
            "retailops logs",
        ),
        (
            "cluster",
            endpoint(
                detail={
                    "drift": [
                        {"object": "Deployment/api", "field": ".spec.x", "by": "kubectl-edit", "what": "was changed"},
                        {"object": "Deployment/api", "field": ".spec.y", "by": "", "what": "isn't as it would be now"},
                    ]
                }
            ),
            [version(1)],
            [],
            "Deployment/api: .spec.x was changed by kubectl-edit; .spec.y isn't as it would be now.",
            "retailops deploy --version 1",
        ),
    ],
)
def test_each_difference_is_told_with_what_to_do(
    settings: Config,
    check: str,
    live: Endpoint,
    versions: list[ModelVersion],
    published: list[Publication],
    says: str,
    fix: str,
) -> None:
    (found,) = differences.found(live, versions, published, settings)
    assert found.check == check and found.state in ("warning", "failed")
    assert says in found.what and fix in found.fix


def test_where_approval_is_required_only_approved_versions_wait(tmp_path: Path) -> None:
    strict = loaded(tmp_path, "gates: {approval: required}\n")
    assert checks(endpoint(), [version(1), version(2)], [], strict) == []
    assert checks(endpoint(), [version(1), version(2, APPROVED)], [], strict) == ["newer version"]


def test_of_an_endpoint_that_can_not_be_reached_only_that_is_told(settings: Config) -> None:
    silent = Endpoint("", 0, "unreachable", "", {"why": "no route to the cluster"})
    (found,) = differences.found(silent, [version(1)], store(of=2), settings)
    assert found.state == "failed" and "no route to the cluster" in found.what


def test_other_limits_are_told_once_and_not_by_their_config_map_again(settings: Config) -> None:
    drift = [
        {"object": "ConfigMap shop-dev/api-1", "field": "", "by": "", "what": "isn't there"},
        {"object": "Deployment shop-dev/api", "field": ".spec.x.configMapRef.name", "by": "", "what": "isn't as now"},
    ]
    live = endpoint(settings={"deploy.max_lines": 77}, detail={"drift": drift})
    assert checks(live, [version(1)], [], settings) == ["settings"]
    assert checks(endpoint(detail={"drift": drift}), [version(1)], [], settings) == ["cluster", "cluster"]


def test_a_version_that_was_rolled_back_from_does_not_wait(settings: Config) -> None:
    left = (Served(1, "1" * 64, NOW), Served(2, "2" * 64, NOW))
    assert checks(endpoint(before=left, returned=True), [version(1), version(2)], [], settings) == []
    assert checks(endpoint(before=left), [version(1), version(2), version(3)], [], settings) == ["newer version"]


def test_what_a_rollback_brings_back_is_settled_by_what_served() -> None:
    past = tuple(Served(number, "h", NOW, {"deploy.max_lines": lines}) for number, lines in ((1, 10), (2, 20), (1, 30)))
    live = endpoint(3, before=past)
    assert live.earlier(None) == past[2] == live.earlier(1), "the last time that it served"
    assert live.earlier(2) == past[1]
    assert live.earlier(3) is None
    back = endpoint(1, before=(*past, Served(3, "h", NOW)), returned=True)
    assert back.earlier(None) is None, "undone already"
    assert back.earlier(3) is not None
