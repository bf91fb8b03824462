"""Feature groups as SageMaker describes them: with what moto forgets, and not found when they aren't there."""

from __future__ import annotations

import json
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.sagemaker.models import SageMakerModelBackend, sagemaker_backends

from emulator.feature_records import resolved
from emulator.server import Hook, Request, Response

_FORGOTTEN = ("Description", "OnlineStoreConfig")


def answer(request: Request) -> Response | None:
    if request.target not in ("SageMaker.CreateFeatureGroup", "SageMaker.DescribeFeatureGroup"):
        return None
    backend = sagemaker_backends[DEFAULT_ACCOUNT_ID][request.region]
    wanted = json.loads(request.body)
    name = wanted["FeatureGroupName"]
    if request.target.endswith("CreateFeatureGroup"):
        _asked(backend)[name] = wanted
        return None
    for group in backend.feature_groups.values():
        if group.feature_group_name == name:
            return Response(json.dumps(_described(group, _asked(backend).get(name, {})), default=_seconds).encode())
    says = f"FeatureGroup {name} does not exist."
    return Response(json.dumps({"__type": "ResourceNotFound", "message": says}).encode(), 400)


HOOKS: list[Hook] = [answer]


def _asked(backend: SageMakerModelBackend) -> dict[str, dict[str, Any]]:
    asked: dict[str, dict[str, Any]] = backend.__dict__.setdefault("feature_groups_asked", {})
    return asked


def _described(group: Any, asked: dict[str, Any]) -> dict[str, Any]:
    told = {**group.describe(), **{name: asked[name] for name in _FORGOTTEN if name in asked}}
    place = {**told["OfflineStoreConfig"]["S3StorageConfig"], "ResolvedOutputS3Uri": resolved(group)}
    told["OfflineStoreConfig"] = {**told["OfflineStoreConfig"], "S3StorageConfig": place}
    offline = asked.get("OfflineStoreConfig", {})
    if offline.get("DisableGlueTableCreation"):  # moto invents a table all the same
        told["OfflineStoreConfig"] = {**told["OfflineStoreConfig"], "DisableGlueTableCreation": True}
        told["OfflineStoreConfig"].pop("DataCatalogConfig", None)
    return told


def _seconds(moment: Any) -> float:
    return float(moment.timestamp())
