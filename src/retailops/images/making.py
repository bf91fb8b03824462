"""Floor 3, images: from a recipe to an image in the engine, looked over before it goes anywhere."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retailops.config import Config
from retailops.config.sections import Image as Settings
from retailops.errors import GateFailed
from retailops.images.recipe import Recipe
from retailops.ports import Image, ModelVersion
from retailops.progress import Progress
from retailops.tools import scanners
from retailops.tools.docker import Docker

_CRITICAL = "CRITICAL"
_NOTHING: Mapping[str, int] = {}


@dataclass(frozen=True)
class Made:
    """An image in the engine."""

    name: str
    bytes: int  # unpacked
    findings: Mapping[str, int]

    def image(self, recipe: Recipe) -> Image:
        """For those who want it no further."""
        return described(recipe, self.name, 0, self.findings, self.bytes)


class Maker:
    """With one engine, where images are called retailops/<project>-<environment>."""

    def __init__(self, docker: Docker, config: Config) -> None:
        self._docker = docker
        self._settings = config.image
        self._name = f"retailops/{config.project.name}-{config.project.environment}"

    def recipe(self, model: ModelVersion | None, progress: Progress) -> Recipe:
        """What the image would be made of. The base is pulled when the engine doesn't have it, and not again."""
        base = self._settings.base
        self._docker.require()
        if self._docker.local(base) is None:
            progress.stage(f"pulling {base}")
            self._docker.pull(base)
        return Recipe(model, base, self._docker.has(base).id)

    def make(self, recipe: Recipe, progress: Progress) -> Made:
        """Have it in the engine, there already: kept. GateFailed for what a scanner on this machine finds in it."""
        name = f"{self._name}:{recipe.tag}"
        if self._docker.local(name) is None:
            with tempfile.TemporaryDirectory(prefix="retailops-image-") as folder:
                progress.stage(f"fetching {recipe.packages - 1} packages")
                recipe.lay(Path(folder))
                self._docker.build(Path(folder), name, recipe.arguments, recipe.labels, progress)
        findings = _NOTHING
        scanner = scanners.installed()
        if scanner is not None:
            progress.stage(f"looking for known faults with {scanner}")
            findings = scanners.findings(scanner, name)
            refuse(findings, recipe.tag, self._settings)
        return Made(name, self._docker.has(name).bytes, findings)


def refuse(findings: Mapping[str, int], tag: str, settings: Settings) -> None:
    """GateFailed when something critical was found, and image.allow_critical doesn't let it pass."""
    critical = findings.get(_CRITICAL, 0)
    if critical and not settings.allow_critical:
        raise GateFailed(
            f"The scan of {tag} found {critical} critical fault{'s' if critical > 1 else ''}: it doesn't go live.",
            "Take a newer base (image.base in retail.yaml; docker pull) and build again, or accept it: "
            "image.allow_critical: true.",
            details={"findings": dict(findings)},
        )


def described(
    recipe: Recipe,
    reference: str,
    compressed: int,
    findings: Mapping[str, int] = _NOTHING,
    unpacked: int = 0,
    *,
    reused: bool = False,
) -> Image:
    detail: dict[str, Any] = {"packages": recipe.packages, "reused": reused, "pushed": "@" in reference}
    if unpacked:
        detail["unpacked_bytes"] = unpacked
    return Image(reference, recipe.tag, compressed, findings, detail)
