"""Floor 3: container images: what goes into one, and how it is built, looked over and pushed. Knows no cloud."""

from __future__ import annotations

from retailops.images.making import Maker, refuse
from retailops.images.recipe import Recipe, alias
from retailops.images.wanted import wanted

__all__ = ["Maker", "Recipe", "alias", "refuse", "wanted"]
