"""Floor 3: the Kubernetes objects of one version, rendered from templates, and a lint over all of them together."""

from __future__ import annotations

from retailops.manifests.checks import CHECKS
from retailops.manifests.lint import Check, Problem, problems, proved
from retailops.manifests.objects import Objects
from retailops.manifests.rendering import render
from retailops.manifests.workload import FILES, FOLDER, PRE_STOP_S, elsewhere, namespace, values

__all__ = [
    "CHECKS",
    "FILES",
    "FOLDER",
    "PRE_STOP_S",
    "Check",
    "Objects",
    "Problem",
    "elsewhere",
    "namespace",
    "problems",
    "proved",
    "render",
    "values",
]
