"""Tags of what SageMaker keeps: a key has one value, and feature groups have tags that can be changed."""

from __future__ import annotations

import json
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.sagemaker.models import SageMakerModelBackend, sagemaker_backends

from emulator.server import Hook, Request, Response


def answer(request: Request) -> Response | None:
    operation = request.target.removeprefix("SageMaker.")
    if operation not in ("AddTags", "ListTags", "DeleteTags"):
        return None
    wanted = json.loads(request.body)
    arn = wanted["ResourceArn"]
    if operation != "AddTags" and ":feature-group/" not in arn:
        return None
    thing = _thing(sagemaker_backends[DEFAULT_ACCOUNT_ID][request.region], arn)
    if thing is None:
        says = {"__type": "ResourceNotFound", "message": f"{arn} does not exist."}
        return Response(json.dumps(says).encode(), 400)
    tags = {tag["Key"]: tag["Value"] for tag in thing.tags or []}
    tags |= {tag["Key"]: tag["Value"] for tag in wanted.get("Tags", [])}
    kept = {key: value for key, value in tags.items() if key not in wanted.get("TagKeys", [])}
    thing.tags = [{"Key": key, "Value": value} for key, value in kept.items()]
    return Response(json.dumps({} if operation == "DeleteTags" else {"Tags": thing.tags}).encode())


HOOKS: list[Hook] = [answer]


def _thing(backend: SageMakerModelBackend, arn: str) -> Any:
    if ":feature-group/" in arn:
        return next((each for each in backend.feature_groups.values() if each.arn == arn), None)
    return backend._get_resource_from_arn(arn)
