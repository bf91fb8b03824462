"""The feature store's runtime, which moto lacks: the newest record of each key online, and all of them offline.

As documented: a record replaces another only when its event time isn't earlier; a soft delete leaves a mark that older
records don't get past, a hard one leaves nothing; and what goes to the offline store lies in S3 as parquet, by the hour
of its event time, with three columns of SageMaker's own. SageMaker writes that within a quarter of an hour, and here
it is at once. Small groups of parallel writers get along; there is one lock.
"""

from __future__ import annotations

import io
import json
import secrets
from datetime import UTC, datetime
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, unquote

from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.sagemaker.models import SageMakerModelBackend, sagemaker_backends

from emulator.server import Hook, Request, Response

_AT_ONCE = 100  # keys that BatchGetRecord takes
_BOTH = ["OnlineStore", "OfflineStore"]
_LOCK = Lock()
_READERS: dict[str, Any] = {"String": str, "Integral": int, "Fractional": float}

Record = list[dict[str, str]]


class Refused(Exception):
    def __init__(self, code: str, says: str, status: int = 400) -> None:
        super().__init__(says)
        self.code, self.status = code, status


def answer(request: Request) -> Response | None:
    if request.service != "sagemaker" or request.target or not request.path.startswith(("/FeatureGroup/", "/BatchGet")):
        return None
    backend = sagemaker_backends[DEFAULT_ACCOUNT_ID][request.region]
    try:
        with _LOCK:
            told = _batch(backend, json.loads(request.body)) if "Batch" in request.path else _single(backend, request)
    except Refused as refused:
        return Response(json.dumps({"Message": str(refused)}).encode(), refused.status, _kind(refused.code))
    return Response(json.dumps(told).encode())


HOOKS: list[Hook] = [answer]


def records(backend: SageMakerModelBackend, name: str) -> dict[str, tuple[str, Record | None]]:
    """Key → (event time, record) of a group's online store; None in place of a record that was softly deleted."""
    stores: dict[str, Any] = backend.__dict__.setdefault("feature_records", {})
    store: dict[str, tuple[str, Record | None]] = stores.setdefault(name, {})
    return store


def _single(backend: SageMakerModelBackend, request: Request) -> dict[str, Any]:
    name = unquote(request.path.removeprefix("/FeatureGroup/"))
    group, query = _group(backend, name), parse_qs(request.query)
    if request.method == "PUT":
        wanted = json.loads(request.body)
        return _put(backend, group, wanted["Record"], wanted.get("TargetStores") or _BOTH)
    key = query["RecordIdentifierValueAsString"][0]
    if request.method == "DELETE":
        return _delete(backend, group, key, query)
    found = records(backend, name).get(key, ("", None))[1]
    return {"Record": _chosen(found, query.get("FeatureName"))} if found else {}


def _batch(backend: SageMakerModelBackend, wanted: dict[str, Any]) -> dict[str, Any]:
    told: list[dict[str, Any]] = []
    for each in wanted["Identifiers"]:
        name, keys = each["FeatureGroupName"], each["RecordIdentifiersValueAsString"]
        _group(backend, name)
        if not 0 < len(keys) <= _AT_ONCE or len(set(keys)) < len(keys):
            raise Refused("ValidationError", f"between 1 and {_AT_ONCE} identifiers, each once, are taken")
        for key in keys:
            if found := records(backend, name).get(key, ("", None))[1]:
                record = _chosen(found, each.get("FeatureNames"))
                told.append({"FeatureGroupName": name, "RecordIdentifierValueAsString": key, "Record": record})
    return {"Records": told, "Errors": [], "UnprocessedIdentifiers": []}


def _put(backend: SageMakerModelBackend, group: Any, record: Record, stores: list[str]) -> dict[str, Any]:
    values = {each["FeatureName"]: each["ValueAsString"] for each in record}
    _judge(group, values)
    key, at = values[group.record_identifier_feature_name], values[group.event_time_feature_name]
    online = records(backend, group.feature_group_name)
    if "OnlineStore" in stores and at >= online.get(key, ("", None))[0]:
        online[key] = (at, record)
    if "OfflineStore" in stores:
        _store_offline(group, values, deleted=False)
    return {}


def _delete(backend: SageMakerModelBackend, group: Any, key: str, query: dict[str, list[str]]) -> dict[str, Any]:
    at, stores = query["EventTime"][0], query.get("TargetStores", _BOTH)
    hard = query.get("DeletionMode") == ["HardDelete"]
    online = records(backend, group.feature_group_name)
    later = at > online.get(key, ("", None))[0]
    if hard and not later:
        raise Refused("ValidationError", "EventTime must be later than that of the existing record")
    if "OnlineStore" in stores and hard:
        online.pop(key, None)
    elif "OnlineStore" in stores and later:
        online[key] = (at, None)
    if "OfflineStore" in stores:
        marks = {group.record_identifier_feature_name: key, group.event_time_feature_name: at}
        _store_offline(group, marks, deleted=True)
    return {}


def _judge(group: Any, values: dict[str, str]) -> None:
    types = {each["FeatureName"]: each["FeatureType"] for each in group.feature_definitions}
    for name in (group.record_identifier_feature_name, group.event_time_feature_name):
        if not values.get(name):
            raise Refused("ValidationError", f"{name} is missing")
    for name, value in values.items():
        if name not in types:
            raise Refused("ValidationError", f"{name} isn't a feature of {group.feature_group_name}")
        try:
            _READERS[types[name]](value)
        except ValueError as problem:
            raise Refused("ValidationError", f"{name}: {value!r} isn't {types[name]}") from problem
    try:
        _moment(values[group.event_time_feature_name])
    except ValueError as problem:
        raise Refused("ValidationError", f"{group.event_time_feature_name} isn't ISO 8601") from problem


def _store_offline(group: Any, values: dict[str, str], *, deleted: bool) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = {"String": pa.string(), "Integral": pa.int64(), "Fractional": pa.float64()}
    now = datetime.now(UTC).replace(tzinfo=None)
    columns: dict[str, Any] = {}
    for each in group.feature_definitions:
        name, type_ = each["FeatureName"], each["FeatureType"]
        value = _READERS[type_](values[name]) if name in values else None
        columns[name] = pa.array([value], arrow[type_])
    for name in ("write_time", "api_invocation_time"):
        columns[name] = pa.array([now], pa.timestamp("ms"))
    columns["is_deleted"] = pa.array([deleted])
    body = io.BytesIO()
    pq.write_table(pa.table(columns), body)
    at = _moment(values[group.event_time_feature_name])
    bucket, _, prefix = resolved(group).removeprefix("s3://").partition("/")
    key = f"{prefix}/{at:year=%Y/month=%m/day=%d/hour=%H/%Y%m%dT%H%M%SZ}_{secrets.token_hex(8)}.parquet"
    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(bucket, key, body.getvalue())


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def resolved(group: Any) -> str:
    """Where a group's offline store lies, as SageMaker resolves it; moto leaves its own name out."""
    storage: dict[str, str] = group.offline_store_config["S3StorageConfig"]
    told, wanted = storage["ResolvedOutputS3Uri"], f"{storage['S3Uri']}/{DEFAULT_ACCOUNT_ID}"
    return told.replace(f"{wanted}/", f"{wanted}/sagemaker/", 1)


def _chosen(record: Record, names: list[str] | None) -> Record:
    return [each for each in record if names is None or each["FeatureName"] in names]


def _group(backend: SageMakerModelBackend, name: str) -> Any:
    for group in backend.feature_groups.values():
        if group.feature_group_name == name:
            return group
    raise Refused("ResourceNotFound", f"Resource Not Found: FeatureGroup {name} does not exist.", 404)


def _kind(code: str) -> dict[str, str]:
    return {"x-amzn-ErrorType": code}
