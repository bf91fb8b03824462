"""Floor 4, local: container images, built by docker here and kept in the repository that retail.yaml names."""

from __future__ import annotations

from pathlib import Path

from retailops.config import Config
from retailops.errors import NotReady
from retailops.images import Maker, alias
from retailops.images.making import described
from retailops.ports import Image, ModelVersion
from retailops.progress import Progress
from retailops.tools.docker import Docker, Pushed


class LocalImages:
    """deploy.kubernetes.registry is the repository; without it, images stay in the engine, where no cluster gets them.

    Each image has two tags: one with its key, which is never moved, and one without, which is the last of its version.
    """

    def __init__(self, config: Config, log: Path) -> None:
        self._repository = config.deploy.kubernetes.registry
        project = config.project
        self._in_engine = f"retailops/{project.name}-{project.environment}"
        self._maker = Maker(Docker(log), config.image)
        self._docker = self._maker.docker

    def build(self, model: ModelVersion | None, progress: Progress, *, push: bool = True) -> Image:
        recipe = self._maker.recipe(model, progress)
        if not (push and self._repository):
            name = f"{self._in_engine}:{recipe.tag}"
            local, findings = self._maker.make(recipe, name, progress)
            return described(recipe, name, 0, local, findings, reused=False)
        name, last = f"{self._repository}:{recipe.tag}", f"{self._repository}:{alias(model)}"
        progress.stage(f"asking for {recipe.tag}")
        known = self._docker.pushed(name)
        if known is not None:
            self._point(last, name, known, progress)
            return described(recipe, self._at(known), known.bytes, self._docker.local(name), {}, reused=True)
        local, findings = self._maker.make(recipe, name, progress)
        progress.stage(f"pushing {recipe.tag}")
        known = self._docker.push(name, progress)
        self._point(last, name, known, progress)
        return described(recipe, self._at(known), known.bytes, local, findings, reused=False)

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
