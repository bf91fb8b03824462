"""Floor 3, rollout: one change of a namespace at a time, by a Lease that its holder renews while it lives.

Whether a holder lives is seen and not computed: clocks of two machines may differ, so what counts is whether the Lease
changes while one looks.
"""

from __future__ import annotations

import getpass
import os
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from retailops.errors import RetailOpsError, TargetFailed
from retailops.progress import Progress
from retailops.tools.kube import Changed, Cluster, Ref

NAME = "retailops-rollout"
LEASE_S = 20.0  # without a sign of life for so long a holder counts as dead
RENEW_S = 4.0


class Lock:
    """Held from `with` to its end. TargetFailed, with its holder, when somebody else is at it."""

    def __init__(self, cluster: Cluster, namespace: str, doing: str, progress: Progress) -> None:
        self._cluster = cluster
        self._ref = Ref("coordination.k8s.io/v1", "Lease", NAME, namespace)
        self._host, self._doing = socket.gethostname(), doing
        self._progress = progress
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> Self:
        while not self._took():
            self._progress.note("the lock changed hands: once more")
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join(timeout=LEASE_S)
        with suppress(RetailOpsError):  # it runs out by itself
            found = self._cluster.read(self._ref)
            if found and self._is_ours(found):
                self._cluster.delete(self._ref)

    def _took(self) -> bool:
        """Whether it is ours now; False when it slipped away while we looked. A holder that lives is told."""
        found = self._cluster.read(self._ref)
        try:
            if found is None:
                self._cluster.create(self._lease({"name": self._ref.name, "namespace": self._ref.namespace}))
                return True
            if not self._is_dead_here(_holder(found)):
                self._progress.stage(f"looking whether this is still going on: {_holder(found)}")
                self._see_no_life(found)
            self._cluster.replace(self._lease(found["metadata"]))
        except Changed:
            return False
        self._progress.note(f"taken over, since it died: {_holder(found)}")
        return True

    def _see_no_life(self, found: dict[str, Any]) -> None:
        deadline = time.monotonic() + LEASE_S
        while time.monotonic() < deadline:
            time.sleep(0.5)
            now = self._cluster.read(self._ref)
            if now is None or now["metadata"]["uid"] != found["metadata"]["uid"]:
                raise Changed("The lock changed hands.")
            if now["metadata"]["resourceVersion"] != found["metadata"]["resourceVersion"]:
                since = now["spec"].get("acquireTime", "")
                raise TargetFailed(
                    f"{_holder(now)} is changing the API in this namespace, since {since[:19]}Z.",
                    f"Wait until it is done. If it dies, its lock is free {LEASE_S:g} s later.",
                    details={"holder": _holder(now), "since": since},
                )

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_S):
            with suppress(RetailOpsError):  # the next one may come through
                found = self._cluster.read(self._ref)
                if found and self._is_ours(found):
                    self._cluster.replace(self._lease(found["metadata"], found["spec"].get("acquireTime")))

    def _lease(self, metadata: Mapping[str, Any], since: str | None = None) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(LEASE_S),
            "acquireTime": since or now,
            "renewTime": now,
        }
        return {"apiVersion": self._ref.api_version, "kind": self._ref.kind, "metadata": dict(metadata), "spec": spec}

    @property
    def _identity(self) -> str:
        try:
            user = getpass.getuser()
        except (OSError, KeyError):  # a container's user without a name
            user = str(os.getuid())
        return f"{self._doing} by {user} on {self._host} (process {os.getpid()})"

    def _is_ours(self, found: dict[str, Any]) -> bool:
        return _holder(found) == self._identity

    def _is_dead_here(self, holder: str) -> bool:
        """Whether it was a process of this machine that is gone."""
        import psutil

        _, _, rest = holder.rpartition(f" on {self._host} (process ")
        number = rest.removesuffix(")")
        return number.isdigit() and not psutil.pid_exists(int(number))


def _holder(found: dict[str, Any]) -> str:
    return str(found.get("spec", {}).get("holderIdentity") or "somebody")
