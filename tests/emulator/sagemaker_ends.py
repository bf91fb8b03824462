"""What SageMaker can end and moto can't: stop training and tuning jobs, delete packages, groups and feature groups."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.sagemaker.models import sagemaker_backends

from emulator import feature_records
from emulator.server import Hook, Request, Response

Ending = Callable[[Any, dict[str, Any]], dict[str, Any] | None]  # None: moto answers


class Missing(Exception):
    """There is no such thing, in SageMaker's words."""


def _stop_training_job(backend: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    job = _known(backend.training_jobs, wanted["TrainingJobName"], "training job")
    if job.training_job_status == "InProgress":
        job.training_job_status = "Stopped"
    return {}


def _stop_tuning_job(backend: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    name = wanted["HyperParameterTuningJobName"]
    job = _known(backend.hyper_parameter_tuning_jobs, name, "tuning job")
    if job.hyper_parameter_tuning_job_status == "InProgress":
        job.hyper_parameter_tuning_job_status = "Stopped"
    return {}


def _stop_transform_job(backend: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    job = _known(backend.transform_jobs, wanted["TransformJobName"], "transform job")
    if job.transform_job_status == "InProgress":
        job.transform_job_status = "Stopped"
    return {}


def _delete_model_package(backend: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    name = wanted["ModelPackageName"]
    arn = name if name.startswith("arn:") else backend.model_package_name_mapping.get(name, "")
    _known(backend.model_packages, arn, f"ModelPackage {name}")
    del backend.model_packages[arn]
    return {}


def _delete_model_package_group(backend: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    name = wanted["ModelPackageGroupName"]
    _known(backend.model_package_groups, name, f"ModelPackageGroup {name}")
    if any(package.model_package_group_name == name for package in backend.model_packages.values()):
        raise Missing(f"Model Package Group {name} cannot be deleted because it still contains Model Packages.")
    del backend.model_package_groups[name]
    return {}


def _delete_feature_group(backend: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    name = wanted["FeatureGroupName"]
    arns = {group.feature_group_name: arn for arn, group in backend.feature_groups.items()}
    del backend.feature_groups[_known(arns, name, f"FeatureGroup {name}", "ResourceNotFound")]
    feature_records.records(backend, name).clear()
    return {}


def _list_feature_groups(backend: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    groups = [group for name, group in backend.feature_groups.items() if wanted.get("NameContains", "") in name]
    told = [
        {
            "FeatureGroupName": group.feature_group_name,
            "FeatureGroupArn": group.arn,
            "CreationTime": group.creation_time.timestamp(),
            "FeatureGroupStatus": "Created",
        }
        for group in groups
    ]
    return {"FeatureGroupSummaries": told}


def _list_tags(backend: Any, wanted: dict[str, Any]) -> dict[str, Any] | None:
    """moto fails on a feature group's; of all else it tells them itself."""
    for group in backend.feature_groups.values():
        if group.arn == wanted["ResourceArn"].lower():
            return {"Tags": group.tags or []}
    return None


_ENDINGS: dict[str, Ending] = {
    "DeleteFeatureGroup": _delete_feature_group,
    "DeleteModelPackage": _delete_model_package,
    "DeleteModelPackageGroup": _delete_model_package_group,
    "ListFeatureGroups": _list_feature_groups,
    "ListTags": _list_tags,
    "StopHyperParameterTuningJob": _stop_tuning_job,
    "StopTrainingJob": _stop_training_job,
    "StopTransformJob": _stop_transform_job,
}


def _known(things: dict[str, Any], name: str, what: str, code: str = "ValidationException") -> Any:
    if name not in things:
        raise Missing(f"{what} does not exist.", code)
    return things[name]


def answer(request: Request) -> Response | None:
    service, _, operation = request.target.partition(".")
    ending = _ENDINGS.get(operation) if service == "SageMaker" else None
    if ending is None:
        return None
    signed = request.headers["AUTHORIZATION"].partition("Credential=")[2].split("/")
    backend = sagemaker_backends[DEFAULT_ACCOUNT_ID][signed[2]]
    try:
        told = ending(backend, json.loads(request.body or b"{}"))
    except Missing as problem:
        words, code = (*problem.args, "ValidationException")[:2]
        return Response(json.dumps({"__type": code, "message": words}).encode(), 400)
    return None if told is None else Response(json.dumps(told).encode())


HOOKS: list[Hook] = [answer]
