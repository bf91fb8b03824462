"""Floor 3, images: an image that somebody else was to have built."""

from __future__ import annotations

from retailops.errors import NotReady
from retailops.ports import Image, Images, ModelVersion


def wanted(images: Images, model: ModelVersion | None) -> Image:
    """What the registry has for this version, None: for jobs. NotReady names the command that builds it."""
    found = images.find(model)
    if found is None:
        raise missing(model)
    return found


def missing(model: ModelVersion | None) -> NotReady:
    if model is None:
        return NotReady("The image that jobs run in was never built.", "Run: retailops image build --worker")
    return NotReady(
        f"No image of version {model.version} was built.", f"Run: retailops image build --version {model.version}"
    )
