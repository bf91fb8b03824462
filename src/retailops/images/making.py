"""Floor 3, images: from a recipe to an image in the engine, and to one that a registry has."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from retailops.config.sections import Image as Settings
from retailops.errors import GateFailed
from retailops.images.recipe import Recipe
from retailops.ports import Image, ModelVersion
from retailops.progress import Progress
from retailops.tools import scanners
from retailops.tools.docker import Docker, Local

CRITICAL = "CRITICAL"


class Maker:
    """With one engine."""

    def __init__(self, docker: Docker, settings: Settings) -> None:
        self.docker = docker
        self._settings = settings

    def recipe(self, model: ModelVersion | None, progress: Progress) -> Recipe:
        """What the image would be made of. The base is pulled when the engine doesn't have it, and not again."""
        base = self._settings.base
        self.docker.require()
        if self.docker.local(base) is None:
            progress.stage(f"pulling {base}")
            self.docker.pull(base)
        return Recipe(model, base, self.docker.has(base).id)

    def make(self, recipe: Recipe, name: str, progress: Progress) -> tuple[Local, Mapping[str, int]]:
        """Have it in the engine under `name`, and what a scanner on this machine finds in it; there already: kept."""
        found = self.docker.local(name)
        if found is None or found.labels.get("retailops.key") != recipe.key:
            with tempfile.TemporaryDirectory(prefix="retailops-image-") as folder:
                progress.stage(f"fetching {recipe.packages - 1} packages")
                recipe.lay(Path(folder))
                progress.stage("building")
                self.docker.build(Path(folder), name, recipe.arguments, recipe.labels, progress)
            found = self.docker.has(name)
        scanner = scanners.installed()
        if scanner is None:
            return found, {}
        progress.stage(f"looking for known faults with {scanner}")
        findings = scanners.findings(scanner, name)
        refuse(findings, recipe.tag, self._settings)
        return found, findings


def refuse(findings: Mapping[str, int], tag: str, settings: Settings) -> None:
    """GateFailed when something critical was found, and image.allow_critical doesn't let it pass."""
    critical = findings.get(CRITICAL, 0)
    if critical and not settings.allow_critical:
        raise GateFailed(
            f"The scan of {tag} found {critical} critical fault{'s' if critical > 1 else ''}: it doesn't go live.",
            "Take a newer base (image.base in retail.yaml; docker pull) and build again, or accept it: "
            "image.allow_critical: true.",
            details={"findings": dict(findings)},
        )


def described(
    recipe: Recipe, reference: str, compressed: int, local: Local | None, findings: Mapping[str, int], *, reused: bool
) -> Image:
    detail = {"key": recipe.key, "packages": recipe.packages, "reused": reused, "pushed": "@" in reference}
    if local is not None:
        detail["uncompressed"] = local.bytes
    return Image(reference, recipe.tag, compressed, findings, detail)
