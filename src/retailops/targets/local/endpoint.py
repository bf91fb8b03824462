"""Floor 4, local: the record of the live server. It says where to look; whether anyone is there is asked each time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from retailops import files
from retailops.errors import NotReady, UsageError
from retailops.ports import Served
from retailops.targets.local.processes import alive

NAME = "endpoint.json"
ADDRESS = ("host", "port")  # of the settings, what a rollback leaves alone
_KEPT = 20
_DOTTED = {"retention_days": "monitor.retention_days"}  # the others are of the section deploy


@dataclass(frozen=True)
class Stint:
    """A version's time as the live one, with all that it takes to have it again."""

    version: int
    bundle_hash: str
    bundle: str
    since: str  # ISO 8601, UTC
    settings: Mapping[str, Any]
    proof: Mapping[str, float]

    def as_served(self) -> Served:
        return Served(self.version, self.bundle_hash, self.since, dotted(self.settings))


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
    before: list[dict[str, Any]] = field(default_factory=list)  # the stints before this one, oldest first
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
    def stints(self) -> list[Stint]:
        """What served, oldest first, the live one last."""
        own = {name: getattr(self, name) for name in Stint.__dataclass_fields__}
        return [Stint(**each) for each in (*self.before, own)]

    def ended(self) -> list[dict[str, Any]]:
        """What `before` is for the server that comes after this one."""
        return [asdict(each) for each in self.stints[-_KEPT:]]

    def earlier(self, to: int | None) -> Stint:
        """What a rollback brings back; see ports.Serving.roll_back."""
        *past, own = self.stints
        if to == own.version or (to is None and self.returned):
            return own
        for each in reversed(past):
            if to in (None, each.version):
                return each
        if to is None:
            what = f"Nothing served before version {own.version}, so there is nothing to go back to."
            raise NotReady(what, "Deploy the version that you want: retailops deploy --version N")
        known = ", ".join(str(number) for number in sorted({each.version for each in self.stints}))
        raise UsageError(f"Version {to} never served here.", f"What did: {known}. Or: retailops deploy --version {to}")

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
