"""Floor 4, local: container images, for a cluster of one's own."""

from __future__ import annotations

from retailops.errors import Unsupported
from retailops.ports import Image, ModelVersion
from retailops.progress import Progress


class LocalImages:
    def build(self, model: ModelVersion | None, progress: Progress) -> Image:
        raise Unsupported("The target local runs without containers.", "aws has them: add --target aws to the command.")

    def find(self, model: ModelVersion | None) -> Image | None:
        return None
