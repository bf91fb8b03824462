"""Where a project can run: one folder a target, one name here.

`<module>.settings` holds the class `Settings`, its section of retail.yaml; `<module>.open(config)` gives its ports.
"""

from __future__ import annotations

from importlib import import_module

from pydantic import BaseModel

from retailops.config import Config
from retailops.errors import Unsupported
from retailops.ports import Target

TARGETS = {"local": "retailops.targets.local", "aws": "retailops.targets.aws"}


def settings() -> dict[str, type[BaseModel]]:
    """Name → settings model of every target. Imports the settings alone, no SDK."""
    return {name: import_module(f"{module}.settings").Settings for name, module in TARGETS.items()}


def open_target(config: Config) -> Target:
    """The ports of the target that `config` names. Unsupported when this version doesn't have it."""
    module = TARGETS.get(config.target)
    if module is None:
        raise Unsupported(
            f"This version of retailops has no target {config.target!r}; it has: {', '.join(TARGETS)}.",
            f"Set `target: {next(iter(TARGETS))}` in {config.path.name}.",
        )
    target: Target = import_module(module).open(config)
    return target
