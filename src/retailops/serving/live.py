"""What every part of a running server shares."""

from __future__ import annotations

from dataclasses import dataclass

from retailops.retail.predictor import Predictor
from retailops.serving.journal import Journal
from retailops.serving.limits import Limits
from retailops.serving.metrics import Metrics


@dataclass
class Live:
    """journal is None while a candidate is only being tried."""

    predictor: Predictor
    limits: Limits
    metrics: Metrics
    journal: Journal | None = None
    ready: bool = False
    draining: bool = False
