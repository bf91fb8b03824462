"""Floor 4, aws: what `teardown --keep data` left is taken into the state again, instead of standing in the way."""

from __future__ import annotations

from pathlib import Path

from retailops import files
from retailops.targets.aws.names import ZONES
from retailops.targets.aws.session import Session, code_of, translated

_FILE = "adopt.tf.json"


def prepare(module: Path, session: Session, known: set[str]) -> None:
    """Write import blocks for the lake's buckets and key that stand and aren't in the state yet."""
    blocks = [
        {"to": address, "id": identity} for address, identity in _standing(session).items() if address not in known
    ]
    if blocks:
        files.write_json(module / _FILE, {"import": blocks})
    else:
        over(module)


def over(module: Path) -> None:
    """What was to be adopted is in the state now."""
    (module / _FILE).unlink(missing_ok=True)


def _standing(session: Session) -> dict[str, str]:
    raise NotImplementedError(ZONES, code_of, translated)
