"""Floor 4, aws: the folder on this machine where Terraform works; all of it can be made again at any time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from retailops import files
from retailops.tools.terraform import Terraform

_OVERRIDE = "backend_override.tf.json"
_MODULE = (".tf", ".json", ".tpl")


class Workbench:
    """`<aws.folder>/terraform` (`module`) with a copy of the module, logs beside it."""

    def __init__(self, folder: Path, rules: Any) -> None:
        self._folder = folder
        self.module = folder / "terraform"
        self.terraform = Terraform(self.module, folder / "logs", rules)

    @contextmanager
    def busy(self, what: str) -> Iterator[int]:
        """One command at a time on this machine; the descriptor is for the child that must hold on when we die."""
        with files.lock(self._folder / "busy.lock", what, wait=False) as descriptor:
            yield descriptor

    def prepare(self, variables: Mapping[str, Any], backend: Mapping[str, str | bool] | None) -> None:
        """Lay out the module with these variables and connect it to the state; None = nothing stands yet, anywhere."""
        self.module.mkdir(parents=True, exist_ok=True)
        self.terraform.version()
        source = resources.files("retailops.templates").joinpath("aws").joinpath("infra")
        wanted = {entry.name: entry for entry in source.iterdir() if entry.name.endswith(_MODULE)}
        for old in self.module.glob("*.tf"):
            if old.name not in wanted:  # of a former version of retailops
                old.unlink()
        for name, entry in wanted.items():
            _copy(entry, self.module / name)
        files.write_json(self.module / "terraform.tfvars.json", dict(variables))
        override = self.module / _OVERRIDE
        if backend is None:
            files.write_json(override, {"terraform": {"backend": {"local": {"path": "nothing.tfstate"}}}})
        else:
            override.unlink(missing_ok=True)
        self.terraform.init(backend or {})


def _copy(source: Traversable, target: Path) -> None:
    content = source.read_bytes()
    if not target.exists() or target.read_bytes() != content:
        files.write_bytes(target, content)
