"""Floor 1: retail.yaml, environment and flags become one frozen Config; every mistake is told at once, with its place.

Cheap to import: pydantic and yaml only. Which targets and algorithms exist is passed in by whoever calls, so that this
room knows neither.
"""

from retailops.config.loading import NOT_OVERRIDES, load, schema
from retailops.config.sections import Config, Folder, Section

__all__ = ["NOT_OVERRIDES", "Config", "Folder", "Section", "load", "schema"]
