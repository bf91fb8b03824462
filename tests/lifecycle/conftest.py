"""A small project on the local target, with real jobs and a real server."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from retailops import config, targets
from retailops.lifecycle import teardown
from retailops.ports import Target
from retailops.progress import Silent
from retailops.retail.algorithms import NAMES

Open = Callable[..., Target]


@pytest.fixture
def open_project(tmp_path: Path, synthetic_csvs: Path) -> Iterator[Open]:
    """Opens the project's target; further calls change settings: dotted key → text. Torn down at the end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    file = tmp_path / "retail.yaml"
    file.write_text(
        f"data: {{input: {json.dumps(str(synthetic_csvs))}}}\n"
        f"deploy: {{port: {port}}}\n"
        "train: {algorithms: [decision_tree]}\n"
    )
    opened: list[Target] = []

    def project(settings: dict[str, str] | None = None) -> Target:
        found = config.load(file, targets=targets.settings(), algorithms=NAMES, overrides=settings or {}, environ={})
        opened.append(targets.open_target(found))
        return opened[-1]

    yield project
    if opened:
        teardown.teardown(opened[-1], Silent())
