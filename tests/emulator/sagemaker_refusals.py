"""What SageMaker refuses and moto takes: a name that is used, spot without a time to wait, invented machines."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import botocore.session
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sagemaker.models import sagemaker_backends

from emulator.server import Hook, Request, Response


def answer(request: Request) -> Response | None:
    if request.target == "SageMaker.CreateTrainingJob":
        wanted = json.loads(request.body)
        return _named(request, wanted["TrainingJobName"], "Training") or _training(wanted)
    if request.target == "SageMaker.CreateProcessingJob":
        wanted = json.loads(request.body)
        cluster = wanted["ProcessingResources"]["ClusterConfig"]
        named = _named(request, wanted["ProcessingJobName"], "Processing")
        return named or _machine("processingResources.clusterConfig", "ProcessingInstanceType", cluster["InstanceType"])
    return None


HOOKS: list[Hook] = [answer]


def refused(code: str, message: str) -> Response:
    return Response(json.dumps({"__type": code, "message": message}).encode(), 400)


def _named(request: Request, name: str, kind: str) -> Response | None:
    backend = sagemaker_backends[DEFAULT_ACCOUNT_ID][request.region]
    jobs: dict[str, Any] = backend.training_jobs if kind == "Training" else backend.processing_jobs
    if name not in jobs:
        return None
    return refused(
        "ResourceInUse",
        f"{kind} job names must be unique within an AWS account and region, and a {kind.lower()} job with this name "
        f"already exists ({jobs[name].arn})",
    )


def _training(wanted: dict[str, Any]) -> Response | None:
    limits = wanted.get("StoppingCondition", {})
    if wanted.get("EnableManagedSpotTraining"):
        longest = limits.get("MaxWaitTimeInSeconds")
        if longest is None or longest < limits.get("MaxRuntimeInSeconds", 0):
            return refused(
                "ValidationException",
                "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds "
                "when EnableManagedSpotTraining is true.",
            )
    elif "MaxWaitTimeInSeconds" in limits:
        return refused("ValidationException", "MaxWaitTimeInSeconds is for managed spot training alone.")
    return _machine("resourceConfig", "TrainingInstanceType", wanted["ResourceConfig"].get("InstanceType", ""))


def _machine(place: str, shape: str, instance: str) -> Response | None:
    if instance in _machines(shape):
        return None
    return refused(
        "ValidationException",
        f"1 validation error detected: Value '{instance}' at '{place}.instanceType' failed to satisfy constraint: "
        "Member must satisfy enum value set",
    )


@cache
def _machines(shape: str) -> frozenset[str]:
    """The machines that the SDK's own description of SageMaker knows."""
    model: Any = botocore.session.get_session().get_service_model("sagemaker")
    return frozenset(model.shape_for(shape).enum)
