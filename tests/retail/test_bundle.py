"""A bundle is refused when a single byte of it isn't what was written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from retailops.errors import TargetFailed
from retailops.retail import bundle
from retailops.retail.bundle import Bundle
from retailops.retail.predictor import Predictor


@pytest.fixture
def copy(bundle_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(bundle_folder, tmp_path / "bundle")


def test_a_bundle_as_written_opens_with_its_hash(bundle_folder: Path) -> None:
    manifest = json.loads((bundle_folder / "manifest.json").read_text())
    assert Bundle.open(bundle_folder).hash == manifest["hash"]


@pytest.mark.parametrize("name", ["model.onnx", "leanings.json", "encoder.json", "card.json", "golden.json"])
def test_one_changed_byte_is_refused_by_name(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(bytes(content))
    with pytest.raises(TargetFailed, match=f"{name} isn't the file"):
        Bundle.open(copy)


def test_a_missing_or_additional_file_is_refused(copy: Path) -> None:
    (copy / "notes.txt").write_text("hello")
    with pytest.raises(TargetFailed, match=r"notes\.txt"):
        Bundle.open(copy)
    (copy / "notes.txt").unlink()
    (copy / "leanings.json").unlink()
    with pytest.raises(TargetFailed, match=r"leanings\.json"):
        Bundle.open(copy)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"{\x00"])
def test_a_broken_manifest_is_refused(copy: Path, content: bytes) -> None:
    (copy / "manifest.json").write_bytes(content)
    with pytest.raises(TargetFailed, match=r"manifest\.json can't be read"):
        Bundle.open(copy)


def test_the_same_files_give_the_same_hash_wherever_they_lie(tmp_path: Path) -> None:
    files = {"a": b"1", "b": b"2"}
    assert bundle.write(tmp_path / "x", files).hash == bundle.write(tmp_path / "y", files).hash
    assert bundle.write(tmp_path / "z", {"a": b"2", "b": b"1"}).hash != bundle.write(tmp_path / "x", files).hash


def test_there_is_no_pickle_in_a_bundle(bundle_folder: Path) -> None:
    assert {path.suffix for path in bundle_folder.iterdir()} == {".json", ".onnx"}


def test_a_golden_basket_that_comes_out_differently_is_refused(copy: Path, tmp_path: Path) -> None:
    files = {path.name: path.read_bytes() for path in copy.iterdir() if path.name != bundle.MANIFEST}
    golden = json.loads(files[bundle.GOLDEN])
    golden[0]["features"][0] += 1.0
    bundle.write(tmp_path / "tampered", {**files, bundle.GOLDEN: bundle.dumps(golden)})
    with pytest.raises(TargetFailed, match=r"golden-01 comes out differently here: feature lines is"):
        Predictor.open(tmp_path / "tampered", 1)
