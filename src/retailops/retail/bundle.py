"""The bundle: a model artifact as a folder of open formats, every file under a hash, no pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retailops.errors import TargetFailed

MANIFEST = "manifest.json"
FORMAT = 1

MODEL = "model.onnx"  # float32[B, F] "features" → "probabilities" float32[B, 3] in the order of columns.LABELS
ENCODER = "encoder.json"  # the features in order, their vocabularies and fill values
LEANINGS = "leanings.json"  # absent when the model uses none
PRODUCTS = "products.json"  # the category and department of each product in it, and the last day learned from
CARD = "card.json"  # algorithm, parameters, data, scorecard, what the model is for and what it isn't
GOLDEN = "golden.json"  # baskets with their features and probabilities, replayed before a version goes live
REFERENCE = "reference.json"  # the training distribution that drift is measured against


@dataclass(frozen=True)
class Bundle:
    """A verified bundle folder. `hash` names its whole content."""

    folder: Path
    hash: str

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def json(self, name: str) -> Any:
        return json.loads(self.read(name))

    def has(self, name: str) -> bool:
        return (self.folder / name).is_file()

    @classmethod
    def open(cls, folder: Path) -> Bundle:
        """Verify every file against the manifest. TargetFailed names the first file that doesn't hold."""
        path = folder / MANIFEST
        try:
            manifest = json.loads(path.read_bytes())
            expected: dict[str, str] = manifest["files"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _broken(folder, f"{MANIFEST} can't be read ({error})") from error
        present = {entry.name for entry in folder.iterdir()} - {MANIFEST}
        if present != set(expected):
            odd = sorted(present ^ set(expected))
            raise _broken(folder, f"its files aren't those of its manifest: {', '.join(odd)}")
        for name, digest in sorted(expected.items()):
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
                raise _broken(folder, f"{name} isn't the file that was written at training time")
        if _hash(expected) != manifest["hash"]:
            raise _broken(folder, f"{MANIFEST} was changed")
        return cls(folder, manifest["hash"])


def write(folder: Path, files: Mapping[str, bytes]) -> Bundle:
    """Write a bundle into `folder`, the manifest last. The same contents give the same hash: no time, no path."""
    folder.mkdir(parents=True, exist_ok=True)
    digests = {}
    for name, content in sorted(files.items()):
        (folder / name).write_bytes(content)
        digests[name] = hashlib.sha256(content).hexdigest()
    manifest = {"format": FORMAT, "hash": _hash(digests), "files": digests}
    (folder / MANIFEST).write_bytes(dumps(manifest))
    return Bundle(folder, str(manifest["hash"]))


def dumps(value: Any) -> bytes:
    """JSON that is the same bytes for the same value, and never NaN."""
    return json.dumps(value, sort_keys=True, indent=1, allow_nan=False).encode()


def _hash(digests: Mapping[str, str]) -> str:
    listing = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256(listing.encode()).hexdigest()


def _broken(folder: Path, why: str) -> TargetFailed:
    return TargetFailed(
        f"The bundle {folder} is refused: {why}.",
        "Nothing was changed. Train again, or restore the folder from where it came.",
    )
