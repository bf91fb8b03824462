"""Ends that moto doesn't see: a trail deleted by its ARN, a workgroup asked for after its end, or changed."""

from __future__ import annotations

import json

from moto.athena.models import athena_backends
from moto.cloudtrail.models import cloudtrail_backends
from moto.core import DEFAULT_ACCOUNT_ID

from emulator.server import Hook, Request, Response


def trail(request: Request) -> Response | None:
    if request.target.rpartition(".")[2] != "DeleteTrail":
        return None
    name = json.loads(request.body)["Name"].rpartition("/")[2]
    cloudtrail_backends[DEFAULT_ACCOUNT_ID][request.region].delete_trail(name)
    return Response(b"{}")


def workgroup(request: Request) -> Response | None:
    """moto answers with nothing where Athena refuses."""
    if request.target != "AmazonAthena.GetWorkGroup":
        return None
    name = json.loads(request.body)["WorkGroup"]
    if name in athena_backends[DEFAULT_ACCOUNT_ID][request.region].work_groups:
        return None
    says = {"__type": "InvalidRequestException", "Message": f"WorkGroup {name} is not found."}
    return Response(json.dumps(says).encode(), 400)


def changed_workgroup(request: Request) -> Response | None:
    """moto can't change one. Settings come as updates of those of before."""
    if request.target != "AmazonAthena.UpdateWorkGroup":
        return None
    asked = json.loads(request.body)
    group = athena_backends[DEFAULT_ACCOUNT_ID][request.region].work_groups[asked["WorkGroup"]]
    updates = dict(asked.get("ConfigurationUpdates", {}))
    if "ResultConfigurationUpdates" in updates:
        updates["ResultConfiguration"] = updates.pop("ResultConfigurationUpdates")
    group.configuration = {**group.configuration, **updates}
    group.description = asked.get("Description", group.description)
    return Response(b"{}")


HOOKS: list[Hook] = [trail, workgroup, changed_workgroup]
