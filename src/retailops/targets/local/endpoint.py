"""Floor 4, local: the record of the live server. It says where to look; whether anyone is there is asked each time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from retailops import files
from retailops.targets.local.processes import alive

NAME = "endpoint.json"


@dataclass(frozen=True)
class Record:
    """What endpoint.json holds. The server that goes live writes it itself, see retailops.serving.handover."""

    version: int
    bundle_hash: str
    pid: int
    started: float  # of the process, seconds since 1970
    host: str
    port: int
    private_port: int  # on 127.0.0.1; neither counted nor logged
    since: str  # ISO 8601, UTC
    log: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    proof: Mapping[str, float] = field(default_factory=dict)
    draining: list[int] = field(default_factory=list)  # the old server, which leaves by itself

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """None when nothing was deployed, or the file isn't ours."""
        value = files.read_json(folder / NAME)
        try:
            return cls(**value) if isinstance(value, dict) else None
        except TypeError:
            return None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def alive(self) -> bool:
        return alive(self.pid, self.started)

    @property
    def reachable(self) -> str:
        """The host under which this machine reaches the server."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104

    @property
    def url(self) -> str:
        host = self.reachable
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
