"""Scaling of endpoints as Application Auto Scaling does it: only what is there, no burstable machines; and a target
takes its policies and their alarms along. moto looks at none of that."""

from __future__ import annotations

import json
import uuid

from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sagemaker.models import sagemaker_backends

from emulator.sagemaker_refusals import refused
from emulator.server import Hook, Request, Response

_SERVICE = "AnyScaleFrontendService."


def answer(request: Request) -> Response | None:
    if not request.target.startswith(_SERVICE):
        return None
    wanted = json.loads(request.body)
    if wanted.get("ServiceNamespace") != "sagemaker":
        return None
    operation = request.target.removeprefix(_SERVICE)
    if operation == "RegisterScalableTarget":
        return _register(request.region, wanted["ResourceId"])
    if operation == "PutScalingPolicy":
        _track(request.region, wanted["ResourceId"])
    if operation == "DeregisterScalableTarget":
        _forget(request.region, wanted["ResourceId"])
    return None


HOOKS: list[Hook] = [answer]


def scaled(region: str, endpoint: str) -> bool:
    """Whether a variant of this endpoint is a target."""
    targets = applicationautoscaling_backends[DEFAULT_ACCOUNT_ID][region].targets
    resources = [resource for each in targets.values() for resource in each]
    return any(resource.startswith(f"endpoint/{endpoint}/") for resource in resources)


def _register(region: str, resource: str) -> Response | None:
    sagemaker = sagemaker_backends[DEFAULT_ACCOUNT_ID][region]
    _, name, _, variant = resource.split("/")
    endpoint = sagemaker.endpoints.get(name)
    if endpoint is None:
        return refused("ValidationException", f"Could not find endpoint '{name}'.")
    config = sagemaker.endpoint_configs.get(endpoint.endpoint_config_name)
    machines = [each["InstanceType"] for each in (config.production_variants if config else [])]
    if any(each.startswith("ml.t") for each in machines):
        return refused("ValidationException", f"The instance type of {variant} doesn't support automatic scaling.")
    return None


def _track(region: str, resource: str) -> None:
    cloudwatch = cloudwatch_backends[DEFAULT_ACCOUNT_ID][region]
    if any(name.startswith(_prefix(resource)) for name in cloudwatch.alarms):
        return
    for which in ("High", "Low"):
        cloudwatch.put_metric_alarm(
            name=f"{_prefix(resource)}-Alarm{which}-{uuid.uuid4()}",
            namespace="AWS/SageMaker",
            metric_name="InvocationsPerInstance",
            comparison_operator=f"{'GreaterThan' if which == 'High' else 'LessThan'}Threshold",
            evaluation_periods=3,
            period=60,
            threshold=1.0,
            statistic="Sum",
            description="",
            dimensions=[],
            alarm_actions=[],
        )


def _forget(region: str, resource: str) -> None:
    cloudwatch = cloudwatch_backends[DEFAULT_ACCOUNT_ID][region]
    cloudwatch.delete_alarms([name for name in cloudwatch.alarms if name.startswith(_prefix(resource))])
    policies = applicationautoscaling_backends[DEFAULT_ACCOUNT_ID][region].policies
    for key in [key for key, policy in policies.items() if policy.resource_id == resource]:
        del policies[key]


def _prefix(resource: str) -> str:
    return f"TargetTracking-{resource}"
