"""A trigger that waits for events stays as it was created: moto counts it as one that a clock starts."""

from __future__ import annotations

import json

from moto.core import DEFAULT_ACCOUNT_ID
from moto.glue.models import glue_backends

from emulator.server import Hook, Request, Response


def started(request: Request) -> Response | None:
    if request.target != "AWSGlue.StartTrigger":
        return None
    name = json.loads(request.body)["Name"]
    trigger = glue_backends[DEFAULT_ACCOUNT_ID][request.region].get_trigger(name)
    return Response(json.dumps({"Name": name}).encode()) if trigger.trigger_type == "EVENT" else None


HOOKS: list[Hook] = [started]
