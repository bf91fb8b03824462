"""Model packages as SageMaker takes them: one for one token, and facts within its limits. moto looks at neither."""

from __future__ import annotations

import json
import re
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.sagemaker.models import sagemaker_backends

from emulator.server import Hook, Request, Response

_MOST_FACTS = 50
_FACT = re.compile(r"[\w\s.:/=+\-@]{1,256}")  # of the SDK's own description of the service
_NAME = re.compile(r"[\w\s.:/=+\-@]{1,128}")


def create_model_package(request: Request) -> Response | None:
    if request.target != "SageMaker.CreateModelPackage":
        return None
    wanted: dict[str, Any] = json.loads(request.body)
    facts = wanted.get("CustomerMetadataProperties", {})
    wrong = [name for name, fact in facts.items() if not (_NAME.fullmatch(name) and _FACT.fullmatch(fact))]
    if wrong or len(facts) > _MOST_FACTS:
        words = f"CustomerMetadataProperties failed to satisfy constraint: {wrong or len(facts)}"
        return Response(json.dumps({"__type": "ValidationException", "message": words}).encode(), 400)
    packages = sagemaker_backends[DEFAULT_ACCOUNT_ID][request.region].model_packages
    for arn, package in packages.items():
        if package.client_token and package.client_token == wanted.get("ClientToken"):
            return Response(json.dumps({"ModelPackageArn": arn}).encode())
    return None


HOOKS: list[Hook] = [create_model_package]
