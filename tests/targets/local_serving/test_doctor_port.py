"""The doctor doesn't take our own live server for a stranger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from retailops import config as configuration
from retailops import targets
from retailops.progress import Silent
from retailops.targets.local.doctor import LocalDoctor
from retailops.targets.local.workspace import Workspace

pytestmark = pytest.mark.slow


def test_the_port_that_our_own_server_holds_is_no_obstacle(place: Any, tmp_path: Path) -> None:
    file = tmp_path / "retail.yaml"
    file.write_text(f"deploy: {{port: {place.port}}}\nlocal: {{workspace: {place.workspace}}}\n")
    config = configuration.load(file, targets=targets.settings(), algorithms=["xgboost"], environ={})

    def port() -> tuple[str, str]:
        doctor = LocalDoctor(Workspace(place.workspace, "retail-demo", tmp_path), config)
        found = next(each for each in doctor.findings(Silent()) if each.check == "port")
        return found.state, found.what

    assert port() == ("ok", f"{place.port} on 127.0.0.1 is free")
    place.serving().roll_out(place.model(3), Silent())
    assert port() == ("ok", f"{place.port} on 127.0.0.1 is held by our own server, version 3")
    pid = place.record.pid
    place.kill(pid)
    assert port() == ("ok", f"{place.port} on 127.0.0.1 is free")
