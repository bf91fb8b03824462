"""EKS add-ons, which moto lacks: active as soon as they are asked for, gone with their cluster; and tags of parts."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs

from moto.core import DEFAULT_ACCOUNT_ID
from moto.eks.models import eks_backends

from emulator.server import Hook, Request, Response

_PATH = re.compile(r"^/clusters/(?P<cluster>[^/]+)/addons(?:/(?P<addon>[^/]+))?(?P<update>/update)?$")
_TAGS = re.compile(r"^/tags/arn:[^/]+:(?P<kind>addon|nodegroup)/(?P<cluster>[^/]+)/(?P<name>[^/]+)/[^/]+$")
_KEPT = ("addonName", "addonVersion", "configurationValues", "serviceAccountRoleArn", "tags")


def answer(request: Request) -> Response | None:
    if request.service != "eks":
        return None
    if tagged := _TAGS.match(request.path):
        return _tags(request, **tagged.groupdict())
    path = _PATH.match(request.path)
    if path is None:
        return None
    cluster = eks_backends[DEFAULT_ACCOUNT_ID][request.region].clusters.get(path["cluster"])
    if cluster is None:
        return _refused("ResourceNotFoundException", f"No cluster found for name: {path['cluster']}.", 404)
    if not hasattr(cluster, "addons"):
        cluster.addons, cluster.addon_tokens = {}, {}
    addons: dict[str, dict[str, Any]] = cluster.addons
    wanted = json.loads(request.body or b"{}")
    if path["addon"] is None:
        return _told({"addons": sorted(addons)}) if request.method == "GET" else _created(cluster, addons, wanted)
    if path["addon"] not in addons:
        return _refused("ResourceNotFoundException", f"No addon: {path['addon']} found in cluster: {cluster.name}", 404)
    if path["update"]:
        addons[path["addon"]] |= {name: wanted[name] for name in _KEPT if name in wanted}
        return _told({"update": {"id": "done", "status": "Successful", "type": "AddonUpdate"}})
    return _told({"addon": addons.pop(path["addon"]) if request.method == "DELETE" else addons[path["addon"]]})


HOOKS: list[Hook] = [answer]


def _created(cluster: Any, addons: dict[str, dict[str, Any]], wanted: dict[str, Any]) -> Response:
    name = wanted["addonName"]
    token = wanted.get("clientRequestToken")
    if name in addons and token and cluster.addon_tokens.get(name) == token:
        return _told({"addon": addons[name]})  # the same request, sent again because its answer was lost
    if name in addons:
        return _refused("ResourceInUseException", f"Addon already exists: {name}", 409)
    cluster.addon_tokens[name] = token
    arn = cluster.arn.replace(":cluster/", ":addon/")
    addons[name] = {
        "addonArn": f"{arn}/{name}/00000000",
        "addonVersion": "v1.0.0-eksbuild.1",
        "clusterName": cluster.name,
        "createdAt": cluster.created_at.timestamp(),
        "health": {"issues": []},
        "modifiedAt": cluster.created_at.timestamp(),
        "status": "ACTIVE",
        **{key: wanted[key] for key in _KEPT if key in wanted},
    }
    return _told({"addon": addons[name]})


def _tags(request: Request, kind: str, cluster: str, name: str) -> Response:
    """moto changes the tags of clusters alone."""
    found = eks_backends[DEFAULT_ACCOUNT_ID][request.region].clusters.get(cluster)
    if kind == "addon":
        known = getattr(found, "addons", {}).get(name)
        tags = None if known is None else known.setdefault("tags", {})
    else:
        group = found.nodegroups.get(name) if found else None
        tags = None if group is None else group.tags
    if tags is None:
        return _refused("NotFoundException", "Resource was not found", 404)
    if request.method == "POST":
        tags.update(json.loads(request.body)["tags"])
    if request.method == "DELETE":
        for key in parse_qs(request.query).get("tagKeys", []):
            tags.pop(key, None)
    return _told({"tags": tags} if request.method == "GET" else {})


def _told(answer: dict[str, Any]) -> Response:
    return Response(json.dumps(answer).encode())


def _refused(code: str, says: str, status: int) -> Response:
    return Response(json.dumps({"message": says}).encode(), status, {"X-Amzn-Errortype": code})
