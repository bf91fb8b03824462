"""Tags of the scaling groups behind EKS node groups: moto names such groups and doesn't make them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

from moto.core import DEFAULT_ACCOUNT_ID
from moto.eks.models import eks_backends

from emulator.server import Hook, Request, Response

_OPERATIONS = ("CreateOrUpdateTags", "DeleteTags", "DescribeTags")


def answer(request: Request) -> Response | None:
    operation = request.form.get("Action", "") if request.service == "autoscaling" else ""
    if operation not in _OPERATIONS:
        return None
    form = request.form
    if operation == "DescribeTags":
        filters = {each["Name"]: each["Values.member.1"] for each in _members(form, "Filters")}
        tags = _tags(request.region, filters.get("auto-scaling-group", ""))
        return None if tags is None else _told(operation, _listed(tags, filters))
    for tag in _members(form, "Tags"):
        tags = _tags(request.region, tag["ResourceId"])
        if tags is None:
            return None
        tags.pop(tag["Key"], None)
        if operation == "CreateOrUpdateTags":
            tags[tag["Key"]] = tag
    return _told(operation, "")


HOOKS: list[Hook] = [answer]


def _tags(region: str, group: str) -> dict[str, dict[str, str]] | None:
    """The tags of the scaling group of a node group, kept on moto's node group; None when it isn't one."""
    for cluster in eks_backends[DEFAULT_ACCOUNT_ID][region].clusters.values():
        for nodes in cluster.nodegroups.values():
            if any(each["name"] == group for each in nodes.resources["autoScalingGroups"]):
                tags: dict[str, dict[str, str]] = nodes.__dict__.setdefault("scaling_group_tags", {})
                return tags
    return None


def _members(form: dict[str, str], name: str) -> Iterator[dict[str, str]]:
    """`Tags.member.1.Key=…` and its neighbours, as one dictionary a member."""
    number = 1
    while found := {
        key.removeprefix(prefix): value
        for prefix in [f"{name}.member.{number}."]
        for key, value in form.items()
        if key.startswith(prefix)
    }:
        yield found
        number += 1


def _listed(tags: dict[str, dict[str, str]], filters: dict[str, Any]) -> str:
    wanted = [tag for key, tag in tags.items() if filters.get("key", key) == key]
    fields = ("ResourceId", "ResourceType", "Key", "Value", "PropagateAtLaunch")
    members = ("".join(f"<{name}>{escape(tag.get(name, ''))}</{name}>" for name in fields) for tag in wanted)
    return f"<Tags>{''.join(f'<member>{member}</member>' for member in members)}</Tags>"


def _told(operation: str, result: str) -> Response:
    space = "http://autoscaling.amazonaws.com/doc/2011-01-01/"
    body = f'<{operation}Response xmlns="{space}"><{operation}Result>{result}</{operation}Result></{operation}Response>'
    return Response(body.encode(), 200, {"Content-Type": "text/xml"})
