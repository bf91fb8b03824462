"""Floor 4, local: what a server is to be: a version's bundle, and what of retail.yaml it can't change while it runs."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from retailops.config.sections import Deploy, Monitor
from retailops.errors import TargetFailed
from retailops.ports import ModelVersion, Served
from retailops.targets.local import processes
from retailops.targets.local.endpoint import ADDRESS, Record

_LIMITS = ("max_lines", "max_baskets", "max_body_kb", "body_timeout_s")


@dataclass(frozen=True)
class Wanted:
    """A server that is to be live: by a deploy with retail.yaml's settings, or by a rollback with those it had."""

    version: int
    bundle: Path
    settings: Mapping[str, Any]
    returned: bool = False  # by a rollback

    @classmethod
    def of(cls, model: ModelVersion, deploy: Deploy, monitor: Monitor) -> Self:
        """A version as retail.yaml has it now."""
        known = deploy.model_dump(mode="json", include={*ADDRESS, *_LIMITS})
        return cls(model.version, model.run.bundle, {**known, "retention_days": monitor.retention_days})

    @classmethod
    def again(cls, served: Served, live: Record) -> Self:
        """A version as it was when it served, at the address where visitors are now."""
        settings = {name.rpartition(".")[2]: value for name, value in served.settings.items()}
        address = {name: live.settings[name] for name in ADDRESS}
        return cls(served.version, Path(served.detail["bundle"]), {**settings, **address}, returned=True)

    def arguments(self, folder: Path, logs: Path) -> list[str]:
        """Of `python -m retailops.serving`, with the endpoint in `folder`."""
        limits = {f"--{name.replace('_', '-')}": self.settings[name] for name in (*_LIMITS, "retention_days")}
        options = {
            "--bundle": self.bundle,
            "--version": self.version,
            "--log-folder": logs,
            "--endpoint": folder,
            **limits,
        }
        return [word for name, value in options.items() for word in (name, str(value))]

    def is_as(self, live: Record, bundle_hash: str) -> bool:
        """Whether the live server serves this, wherever it listens."""
        here, there = ({**each, **dict.fromkeys(ADDRESS)} for each in (self.settings, live.settings))
        return (self.version, bundle_hash, here) == (live.version, live.bundle_hash, there)

    def is_at(self, live: Record) -> bool:
        """Whether the live server has the address that is wanted. Port 0, any free one, stays what it became."""
        return live.settings.get("host") == self.settings["host"] and self.settings["port"] in (0, live.port)

    def bind(self, live: Record | None) -> socket.socket:
        """The address, bound; that of a server that is gone first, where any port will do."""
        host, port = self.settings["host"], self.settings["port"]
        if port == 0 and live and self.is_at(live):
            with contextlib.suppress(TargetFailed):
                return processes.bind(host, live.port)
        return processes.bind(host, port)
