"""Floor 4, local: what the endpoint says for itself when it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from retailops.errors import TargetFailed
from retailops.rollout.proof import Client
from retailops.targets.local.endpoint import Record

PATIENCE_S = 3.0
_STAYS = "The old version stays. Run the same command again."


def ask(record: Record) -> tuple[Literal["ready", "starting", "unreachable"], Mapping[str, Any]]:
    """What the endpoint says for itself, and why it says nothing."""
    if not record.alive:
        return "unreachable", {"why": f"the server (process {record.pid}) is gone"}
    client = Client(record.reachable, record.port, PATIENCE_S)
    try:
        status, ready = client.get("/readyz")
        _, model = client.get("/model")
        if (model["model_version"], model["bundle_hash"]) != (record.version, record.bundle_hash):
            return "unreachable", {"why": f"port {record.port} answers with another model"}
        found = {"bundle_hash": model["bundle_hash"], "algorithm": model["card"].get("algorithm")}
        return ("ready" if status == 200 else "starting"), {**found, "says": ready["status"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return "unreachable", {"why": f"port {record.port} doesn't answer as it should ({error})"}
    finally:
        client.close()


def require_version(record: Record) -> None:
    """The public port must answer with the new version before the old one is let go."""
    client = Client(record.reachable, record.port, PATIENCE_S)
    try:
        _, model = client.get("/model")
        found = (model["model_version"], model["bundle_hash"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TargetFailed(f"Port {record.port} is silent after the swap: {error}.", _STAYS) from error
    finally:
        client.close()
    if found != (record.version, record.bundle_hash):
        raise TargetFailed(f"Port {record.port} answers with version {found[0]} after the swap.", _STAYS)
