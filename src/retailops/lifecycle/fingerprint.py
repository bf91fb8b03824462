"""Keys: what names a job's result, so that a stage is skipped when nothing it depends on changed."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib import metadata, resources
from importlib.resources.abc import Traversable
from typing import Any

# Rooms of the domain whose change doesn't change what a job computes.
NOT_IN_JOBS = {"synth.py", "synth", "pages.py", "pages", "predictor.py", "gates.py", "__pycache__"}
# Libraries whose version can change a model's bytes.
LIBRARIES = ("duckdb", "numpy", "onnxmltools", "scikit-learn", "skl2onnx")


def key(*parts: Any) -> str:
    """16 hex digits that name these JSON-able parts together."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


@cache
def code() -> str:
    """Names the domain's code and the libraries that it computes with."""
    digest = hashlib.sha256()
    for name, content in sorted(_files(resources.files("retailops.retail"))):
        digest.update(name.encode() + b"\0" + content + b"\0")
    for library in LIBRARIES:
        digest.update(f"{library}=={metadata.version(library)}\n".encode())
    return digest.hexdigest()[:16]


def _files(folder: Traversable, prefix: str = "") -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        if entry.name in NOT_IN_JOBS:
            continue
        if entry.is_dir():
            found += _files(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith((".py", ".sql")):
            found.append((prefix + entry.name, entry.read_bytes()))
    return found
