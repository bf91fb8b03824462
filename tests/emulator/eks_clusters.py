"""What EKS remembers of a cluster and its node groups and moto forgets, and updates, which end at once."""

from __future__ import annotations

import json
import re
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.eks.models import EKSBackend, eks_backends

from emulator.server import Hook, Request, Response

_PATH = re.compile(
    r"^/clusters(?:/(?P<cluster>[^/]+))?(?:/node-groups(?:/(?P<group>[^/]+))?)?(?:/(?P<verb>update[^/]*)(?:/[^/]+)?)?$"
)


def answer(request: Request) -> Response | None:
    path = _PATH.match(request.path)
    if request.service != "eks" or path is None:
        return None
    backend = eks_backends[DEFAULT_ACCOUNT_ID][request.region]
    wanted = json.loads(request.body or b"{}")
    if request.method == "POST" and not path["verb"]:
        _asked(backend)[wanted.get("nodegroupName") or wanted["name"]] = wanted
        return None
    cluster = backend.clusters.get(path["cluster"] or "")
    if cluster is None:
        return None
    group = cluster.nodegroups.get(path["group"] or "")
    if path["verb"]:
        return _updated(cluster, group, path["verb"], wanted)
    if group is not None:
        _complete_group(group, _asked(backend).get(group.nodegroup_name, {}))
    elif path["group"] is None:
        _complete_cluster(cluster, _asked(backend).get(cluster.name, {}), request.region)
    return None


HOOKS: list[Hook] = [answer]


def _asked(backend: EKSBackend) -> dict[str, dict[str, Any]]:
    """What each thing was asked to be, kept in moto's backend so that it goes with a reset."""
    asked: dict[str, dict[str, Any]] = backend.__dict__.setdefault("asked", {})
    return asked


def _complete_cluster(cluster: Any, asked: dict[str, Any], region: str) -> None:
    if not hasattr(cluster, "access_config"):
        cluster.access_config = asked.get("accessConfig", {"authenticationMode": "API_AND_CONFIG_MAP"})
        cluster.upgrade_policy = asked.get("upgradePolicy", {"supportType": "EXTENDED"})
    network = cluster.resources_vpc_config
    for subnet in network.get("subnetIds", [])[:1]:
        network.setdefault("vpcId", ec2_backends[DEFAULT_ACCOUNT_ID][region].get_subnet(subnet).vpc_id)


def _complete_group(group: Any, asked: dict[str, Any]) -> None:
    """moto invents an SSH key, and a disk where the launch template has one."""
    group.remote_access = asked.get("remoteAccess")
    group.resources.pop("remoteAccessSecurityGroup", None)
    if group.launch_template:
        group.disk_size = None
    if group.update_config is None:
        group.update_config = asked.get("updateConfig")


def _updated(cluster: Any, group: Any, verb: str, wanted: dict[str, Any]) -> Response | None:
    thing = group or cluster
    if verb == "update-config":
        if group is not None:
            return None
        cluster.resources_vpc_config |= wanted.get("resourcesVpcConfig", {})
        cluster.logging = wanted.get("logging", cluster.logging)
        cluster.access_config = wanted.get("accessConfig", cluster.access_config)
        cluster.upgrade_policy = wanted.get("upgradePolicy", cluster.upgrade_policy)
    elif verb in ("updates", "update-version"):
        thing.version = wanted.get("version", thing.version)
        if "launchTemplate" in wanted:
            thing.launch_template |= wanted["launchTemplate"]
    update = {"id": "done", "status": "Successful", "type": "ConfigUpdate", "params": [], "errors": []}
    return Response(json.dumps({"update": update}).encode())
