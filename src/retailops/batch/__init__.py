"""Floor 3: a job of ours as a Kubernetes Job: written down, followed, let go, explained. Knows no cloud."""

from __future__ import annotations

from retailops.batch.attempt import Attempt, Patience, Unattended
from retailops.batch.carried import TEMPLATES, Carried, in_context, job_name
from retailops.batch.objects import Order, manifests

__all__ = ["TEMPLATES", "Attempt", "Carried", "Order", "Patience", "Unattended", "in_context", "job_name", "manifests"]
