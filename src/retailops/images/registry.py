"""Floor 3, images: ports.Images over docker here and one repository of any registry, which docker is logged in to."""

from __future__ import annotations

from pathlib import Path

from retailops.config import Config
from retailops.errors import NotReady
from retailops.images.making import Maker, described
from retailops.images.recipe import alias
from retailops.ports import Image, ModelVersion
from retailops.progress import Progress
from retailops.tools.docker import Docker, Pushed


class RegistryImages:
    """deploy.kubernetes.registry is the repository; without it, images stay in the engine, where no cluster gets them.

    Each image has two tags: one with its key, which is never moved, and one without, which is the last of its version.
    """

    def __init__(self, config: Config, log: Path) -> None:
        self._repository = config.deploy.kubernetes.registry
        self._docker = Docker(log)
        self._maker = Maker(self._docker, config)

    def build(self, model: ModelVersion | None, progress: Progress, *, push: bool = True) -> Image:
        recipe = self._maker.recipe(model, progress)
        if not (push and self._repository):
            return self._maker.make(recipe, progress).image(recipe)
        name, last = f"{self._repository}:{recipe.tag}", f"{self._repository}:{alias(model)}"
        progress.stage(f"asking for {recipe.tag}")
        known = self._docker.pushed(name)
        if known is None:
            made = self._maker.make(recipe, progress)
            progress.stage(f"pushing {recipe.tag}")
            self._docker.tag(made.name, name)
            known = self._docker.push(name, progress)
            self._point(last, name, known, progress)
            return described(recipe, self._at(known), known.bytes, made.findings, made.bytes)
        self._point(last, name, known, progress)
        return described(recipe, self._at(known), known.bytes, reused=True)

    def find(self, model: ModelVersion | None) -> Image | None:
        if not self._repository:
            raise NotReady(
                "There is no registry from which a cluster could get images.",
                "Name a repository that you may push to in retail.yaml: deploy.kubernetes.registry, "
                "like localhost:5000/retailops.",
            )
        tag = alias(model)
        found = self._docker.pushed(f"{self._repository}:{tag}")
        return Image(self._at(found), tag, found.bytes) if found else None

    def _point(self, last: str, name: str, wanted: Pushed, progress: Progress) -> None:
        """Make `last` the tag of what `name` is, if it isn't."""
        found = self._docker.pushed(last)
        if found is not None and found.digest == wanted.digest:
            return
        if self._docker.local(name) is None:
            self._docker.pull(name)
        self._docker.tag(name, last)
        self._docker.push(last, progress)

    def _at(self, found: Pushed) -> str:
        return f"{self._repository}@{found.digest}"
