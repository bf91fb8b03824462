"""Several machines that train one model together: who they are, and which of them this is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from retailops import files
from retailops.errors import UsageError


@dataclass(frozen=True)
class Team:
    """Names or addresses of all machines, in an order that all of them agree on; the first one leads.

    Every machine does the same work, but the leader alone keeps and writes anything.
    """

    hosts: tuple[str, ...] = ("",)
    host: str = ""  # this machine

    @property
    def size(self) -> int:
        return len(self.hosts)

    @property
    def number(self) -> int:
        """Of this machine, from 0."""
        return self.hosts.index(self.host)

    @property
    def leads(self) -> bool:
        return self.number == 0

    @classmethod
    def read(cls, path: Path) -> Team:
        """From a file as SageMaker writes it: JSON with `hosts` and `current_host`."""
        told = files.read_json(path)
        try:
            team = cls(tuple(sorted(told["hosts"])), told["current_host"])
            if team.host in team.hosts:
                return team
        except (TypeError, KeyError):
            pass
        raise UsageError(f"{path} doesn't say which machine of which this is.", "It needs hosts and current_host.")


ALONE = Team()
