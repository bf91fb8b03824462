"""The prediction server: one verified bundle behind HTTP. Imports retail/ and below, never pandas or a cloud's SDK."""

from __future__ import annotations

from retailops.serving.limits import Limits
from retailops.serving.process import Options, serve

__all__ = ["Limits", "Options", "serve"]
