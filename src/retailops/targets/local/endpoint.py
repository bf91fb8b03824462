"""Floor 4, local: the record of the live server. It says where to look; whether anyone is there is asked each time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from retailops import files
from retailops.ports import Served
from retailops.targets.local.processes import alive

NAME = "endpoint.json"
ADDRESS = ("host", "port")  # of the settings, what a rollback leaves alone
_KEPT = 20
_DOTTED = {"retention_days": "monitor.retention_days"}  # the others are of the section deploy


def dotted(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A server's settings by their keys in retail.yaml."""
    return {_DOTTED.get(name, f"deploy.{name}"): value for name, value in settings.items()}


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
    bundle: str = ""
    before: list[dict[str, Any]] = field(default_factory=list)  # what served, oldest first: Served
    returned: bool = False  # by a rollback

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
    def served(self) -> Served:
        """This one, as it is kept for a rollback."""
        detail = {"bundle": self.bundle, **self.proof}
        return Served(self.version, self.bundle_hash, self.since, dotted(self.settings), detail)

    @property
    def past(self) -> tuple[Served, ...]:
        """What served before, oldest first."""
        return tuple(Served(**each) for each in self.before)

    def ended(self) -> list[dict[str, Any]]:
        """What `before` is for a server that comes after this one."""
        return [asdict(each) for each in (*self.past, self.served)][-_KEPT:]

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
