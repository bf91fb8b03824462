"""Checkpoints: whole, checked, of nothing else; and algorithms that go on from one to the very same model."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retailops.progress import Silent
from retailops.retail import algorithms, checkpoint
from retailops.retail.checkpoint import NOWHERE, Checkpoint, State
from retailops.retail.kept import Kept

ROUNDS = 12
PARAMS: dict[str, dict[str, Any]] = {
    "random_forest": {"n_estimators": ROUNDS, "max_depth": 5},
    "xgboost": {"n_estimators": ROUNDS, "max_depth": 3},
}


class Notes(Silent):
    def __init__(self) -> None:
        self.told: list[str] = []

    def note(self, text: str) -> None:
        self.told.append(text)


class CutOff(Exception):
    pass


class Cutting(Checkpoint):
    """Keeps after every round, and cuts the work off right after the `at`-th time."""

    def __init__(self, path: Path, at: int) -> None:
        super().__init__(path, {}, Silent())
        self.every_s, self._at, self.saved = 0.0, at, 0

    def due(self) -> bool:
        return True

    def save(self, done: str, state: State) -> None:
        super().save(done, state)
        self.saved += 1
        if self.saved == self._at:
            raise CutOff


@pytest.fixture(scope="module")
def baskets() -> tuple[Any, Any]:
    """400 made-up baskets of 7 features, three classes and some noise."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(400, 7)).astype(np.float32)
    y = np.digitize(x[:, 0] + 0.5 * x[:, 3] + 0.7 * rng.normal(size=400), [-0.5, 0.5])
    return x, y


def fitted(name: str, baskets: tuple[Any, Any], kept: Checkpoint, threads: int = 1) -> bytes:
    x, y = baskets
    algorithm = algorithms.load(name)
    model = algorithm.fit(x, y, {**algorithm.DEFAULTS, **PARAMS[name]}, 7, threads, kept)
    return algorithm.to_onnx(model, x.shape[1])


@pytest.mark.parametrize("name", PARAMS)
@pytest.mark.parametrize("at", [1, 5, ROUNDS - 1])
def test_an_algorithm_goes_on_to_the_very_same_model(
    name: str, at: int, baskets: tuple[Any, Any], tmp_path: Path
) -> None:
    whole = fitted(name, baskets, NOWHERE)
    path = tmp_path / f"{name}.checkpoint"
    with pytest.raises(CutOff):
        fitted(name, baskets, Cutting(path, at))
    rest = Cutting(path, -1)
    assert fitted(name, baskets, rest, threads=2 if at == 5 and name == "random_forest" else 1) == whole
    assert rest.saved < ROUNDS - at, "what was there isn't computed again"


@pytest.mark.parametrize("name", PARAMS)
def test_cut_off_again_and_again_the_model_is_still_the_same(
    name: str, baskets: tuple[Any, Any], tmp_path: Path
) -> None:
    path, cuts = tmp_path / "kept.checkpoint", 0
    while True:
        try:
            model = fitted(name, baskets, Cutting(path, 3))
            break
        except CutOff:
            cuts += 1
    assert cuts == 3 and model == fitted(name, baskets, NOWHERE)


def test_a_forest_grown_in_batches_is_the_forest_grown_in_one_go(baskets: tuple[Any, Any], tmp_path: Path) -> None:
    every_tree = Cutting(tmp_path / "kept.checkpoint", -1)
    assert fitted("random_forest", baskets, every_tree) == fitted("random_forest", baskets, NOWHERE)
    assert every_tree.saved == ROUNDS - 1


def test_a_tree_that_leads_out_of_itself_is_refused(baskets: tuple[Any, Any], tmp_path: Path) -> None:
    x, y = baskets
    kept = Cutting(tmp_path / "kept.checkpoint", 2)
    with pytest.raises(CutOff):
        fitted("random_forest", baskets, kept)
    state = dict(kept.load() or {})
    state["nodes"]["left_child"][0] = 10_000
    with pytest.raises(ValueError, match="leads out of itself"):
        algorithms.random_forest.trees.unpacked(state, x, y)


OF: Mapping[str, Any] = {"parameters": {"depth": 3}, "data": "abc"}
STATE = {"some": np.arange(5.0)}


def saved(folder: Path) -> Path:
    path = folder / "xgboost.checkpoint"
    Checkpoint(path, OF).save("5 of 9", STATE)
    return path


def test_what_was_kept_comes_back_and_is_told(tmp_path: Path) -> None:
    notes = Notes()
    found = Checkpoint(saved(tmp_path), OF, notes).load()
    assert found and found["some"].tolist() == STATE["some"].tolist()
    assert notes.told == ["Going on from what was kept: 5 of 9"]
    assert [path.name for path in tmp_path.iterdir()] == ["xgboost.checkpoint"]


@pytest.mark.parametrize(
    ("of", "word"),
    [({**OF, "data": "other"}, "data"), ({**OF, "parameters": {"depth": 4}}, "parameters"), ({**OF, "new": 1}, "new")],
)
def test_a_checkpoint_of_anything_else_is_left_aside_and_named(tmp_path: Path, of: Any, word: str) -> None:
    notes = Notes()
    assert Checkpoint(saved(tmp_path), of, notes).load() is None
    assert notes.told == [f"xgboost.checkpoint is left aside: it is of another {word}"]


def test_a_checkpoint_of_another_format_is_left_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path)
    monkeypatch.setattr(checkpoint, "FORMAT", 2)
    assert Checkpoint(path, OF).load() is None


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"no json\n\0\1", None])
def test_a_damaged_checkpoint_is_left_aside(tmp_path: Path, damage: bytes | None) -> None:
    path, notes = saved(tmp_path), Notes()
    content = path.read_bytes()
    path.write_bytes(content[:-1] if damage is None else damage)
    assert Checkpoint(path, OF, notes).load() is None
    assert notes.told[0].startswith("xgboost.checkpoint is left aside: ")


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    import hashlib

    path = saved(tmp_path)
    head = json.loads(path.read_bytes().partition(b"\n")[0])
    body = io.BytesIO()
    np.savez(body, some=np.array([{"an": "object"}], dtype=object))
    head["sha256"] = hashlib.sha256(body.getvalue()).hexdigest()
    path.write_bytes(json.dumps(head).encode() + b"\n" + body.getvalue())
    assert Checkpoint(path, OF).load() is None


def test_without_a_place_nothing_is_kept(tmp_path: Path) -> None:
    assert NOWHERE.load() is None and not NOWHERE.due()
    NOWHERE.save("all", STATE)
    NOWHERE.clear()


def test_it_is_time_after_some_seconds_and_never_more_than_a_hundredth_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now)
    kept = Checkpoint(tmp_path / "kept.checkpoint", OF)
    assert not kept.due()
    now = checkpoint.EVERY_S
    assert kept.due()

    def slow(path: Path, data: bytes) -> None:
        nonlocal now
        now += 2.0

    monkeypatch.setattr(checkpoint.files, "write_bytes", slow)
    kept.save("some", STATE)
    now += 199.0
    assert not kept.due()
    now += 1.0
    assert kept.due()


def test_a_finished_algorithm_of_other_data_is_not_taken(tmp_path: Path, bundle_folder: Path) -> None:
    from retailops.retail.bundle import Bundle

    notes = Notes()
    kept = Kept(tmp_path / "kept", {"dataset": "d1"}, notes)
    run = {"hash": Bundle.open(bundle_folder).hash}
    kept.keep("xgboost", {"data": "a"}, run, bundle_folder)
    assert kept.recall("xgboost", {"data": "a"}, tmp_path / "out") == run
    assert Bundle.open(tmp_path / "out").hash == run["hash"]
    assert kept.recall("xgboost", {"data": "b"}, tmp_path / "other") is None
    assert Kept(tmp_path / "kept", {"dataset": "d2"}).recall("xgboost", {"data": "a"}, tmp_path / "other") is None
    assert len(notes.told) == 1 and not (tmp_path / "other").exists()
    kept.clear()
    assert not (tmp_path / "kept").exists()
