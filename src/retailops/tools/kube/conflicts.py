"""Who owns which field of an object, as server-side apply tells it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

_MANAGER = re.compile(r'conflict with "([^"]+)"')


@dataclass(frozen=True)
class Owned:
    """A field, and who set it last."""

    field: str  # .spec.template.spec.containers[name="api"].image
    manager: str  # kubectl-edit, kubectl-set, the name of a controller, …

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def owned(causes: Iterable[Mapping[str, Any]]) -> list[Owned]:
    """The fields of a refusal that are somebody else's; empty when that isn't what it is about."""
    return [
        Owned(str(each.get("field", "")), found[1])
        for each in causes
        if each.get("reason") == "FieldManagerConflict" and (found := _MANAGER.search(str(each.get("message", ""))))
    ]
