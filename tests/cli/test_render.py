"""deploy --render where there is nothing to render."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_local_has_no_manifests_whether_a_version_is_there_or_not(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "retail.yaml").write_text("version: 1\n")
    done = cli("deploy", "--render", "k8s", "--json")
    assert done.code == 6
    error = done.document["error"]
    assert "no manifests" in error["what"] and "--target aws" in error["fix"]
    assert not (tmp_path / "k8s").exists()
