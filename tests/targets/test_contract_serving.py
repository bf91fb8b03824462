"""What every target's Serving promises: forth and back, and whatever fails, what is live goes on serving."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from retailops.errors import NotReady, TargetFailed, UsageError
from retailops.ports import ModelVersion, Run, Target
from retailops.progress import SILENT
from retailops.retail.bundle import Bundle

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def standing(target: Target) -> Iterator[None]:
    target.infra.apply(SILENT)
    yield
    target.removal.remove(SILENT)


@pytest.fixture
def model(trained: Any, tmp_path: Path) -> Callable[[int], ModelVersion]:
    """A version with a real bundle of its own: the first one's can be broken."""
    algorithms = ("decision_tree", "xgboost", "logistic_regression")

    def made(version: int) -> ModelVersion:
        folder = tmp_path / "bundles" / str(version)
        if not folder.exists():
            shutil.copytree(trained.folder / algorithms[version - 1], folder)
        name, now = algorithms[version - 1], "2026-01-02T03:04:05+00:00"
        return ModelVersion(version, Run(f"r{version}", name, "d", folder, Bundle.open(folder).hash, now, {}, {}))

    return made


def answered_by(target: Target, model: ModelVersion) -> int:
    """The version that answers a basket now."""
    endpoint = target.serving.endpoint()
    assert endpoint is not None
    basket = json.loads((model.run.bundle / "golden.json").read_text())[0]["basket"]
    request = urllib.request.Request(
        f"{endpoint.url}/predict", json.dumps(basket).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        version: int = json.load(answer)["model_version"]
        return version


def test_where_nothing_is_deployed_nothing_is_live_and_there_is_no_way_back(target: Target) -> None:
    assert target.serving.endpoint() is None
    for to in (None, 1):
        with pytest.raises(NotReady):
            target.serving.roll_back(to, SILENT)


def test_a_version_goes_live_and_the_next_one_takes_its_place(target: Target, model: Any) -> None:
    first = target.serving.roll_out(model(1), SILENT)
    assert (first.version, first.state, first.before, first.returned) == (1, "ready", (), False)
    assert first.detail["bundle_hash"] == model(1).run.bundle_hash
    assert answered_by(target, model(1)) == 1
    second = target.serving.roll_out(model(2), SILENT)
    assert (second.version, second.url) == (2, first.url)
    assert [(each.version, each.bundle_hash) for each in second.before] == [(1, model(1).run.bundle_hash)]
    assert answered_by(target, model(1)) == 2
    with pytest.raises(UsageError, match="3"):
        target.serving.roll_back(3, SILENT)


def test_the_version_that_is_live_is_proved_again_and_kept(target: Target, model: Any) -> None:
    first = target.serving.roll_out(model(1), SILENT)
    again = target.serving.roll_out(model(1), SILENT)
    assert (again.since, again.before) == (first.since, ())


def test_rolled_back_it_serves_with_the_settings_of_then_until_the_next_deploy(
    target: Target, model: Any, reopen: Callable[[dict[str, str]], Target]
) -> None:
    reopen({"deploy.max_lines": "400"}).serving.roll_out(model(1), SILENT)
    now = reopen({"deploy.max_lines": "77"})
    now.serving.roll_out(model(2), SILENT)
    back = now.serving.roll_back(None, SILENT)
    assert (back.version, back.returned, back.settings["deploy.max_lines"]) == (1, True, 400)
    assert answered_by(target, model(1)) == 1
    assert now.serving.roll_out(model(1), SILENT).settings["deploy.max_lines"] == 77


def test_a_rollback_that_is_repeated_goes_neither_further_back_nor_forth(target: Target, model: Any) -> None:
    for version in (1, 2, 3):
        target.serving.roll_out(model(version), SILENT)
    back = target.serving.roll_back(None, SILENT)
    assert back.version == 2
    for to in (None, 2):
        assert target.serving.roll_back(to, SILENT).since == back.since
    assert target.serving.roll_back(1, SILENT).version == 1
    assert target.serving.roll_back(None, SILENT).version == 1
    assert answered_by(target, model(1)) == 1


def test_what_no_longer_loads_is_not_gone_back_to(target: Target, model: Any) -> None:
    target.serving.roll_out(model(1), SILENT)
    live = target.serving.roll_out(model(2), SILENT)
    onnx = model(1).run.bundle / "model.onnx"
    onnx.write_bytes(onnx.read_bytes()[:-1])
    with pytest.raises(NotReady):
        target.serving.roll_back(None, SILENT)
    after = target.serving.endpoint()
    assert after is not None and (after.version, after.since, after.state) == (2, live.since, "ready")


def test_a_bundle_that_does_not_hold_changes_nothing(target: Target, model: Any) -> None:
    target.serving.roll_out(model(1), SILENT)
    broken = model(2)
    onnx = broken.run.bundle / "model.onnx"
    onnx.write_bytes(onnx.read_bytes()[:-1])
    with pytest.raises(TargetFailed):
        target.serving.roll_out(broken, SILENT)
    assert answered_by(target, model(1)) == 1
