"""Floor 4, aws: the least rights as IAM policies, each small enough to be a managed policy of its own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from retailops.targets.aws.rights import Right

LIMIT = 6144  # characters of a managed policy, white space not counted

Statement = Mapping[str, Any]


def documents(rights: Iterable[Right]) -> dict[str, dict[str, Any]]:
    """Area → policy document. An area that is too long for one is spread over `area`, `area-2`, …"""
    areas: dict[str, list[Right]] = {}
    for right in rights:
        areas.setdefault(right.area, []).append(right)
    found: dict[str, dict[str, Any]] = {}
    for area, ours in areas.items():
        for number, statements in enumerate(_portions(_statements(ours)), start=1):
            found[area if number == 1 else f"{area}-{number}"] = {"Version": "2012-10-17", "Statement": statements}
    return found


def length(document: Mapping[str, Any]) -> int:
    """Its size as IAM counts it."""
    return len(json.dumps(document, separators=(",", ":")))


def _statements(rights: Iterable[Right]) -> list[Statement]:
    """Rights that differ in their actions alone share a statement.

    Those of EC2 under the same conditions share one whatever the kinds of resources: a kind that an action doesn't
    know changes nothing, and without this the network wouldn't fit into one policy.
    """
    joined: dict[str, tuple[Right, list[str], list[str]]] = {}
    for right in rights:
        kinds = right.service == "ec2" and right.resources != ("*",)
        what = [right.service, [] if kinds else right.resources, dict(right.conditions)]
        _, actions, resources = joined.setdefault(json.dumps(what), (right, [], []))
        actions += [each for each in right.actions if each not in actions]
        resources += [each for each in right.resources if each not in resources]
    return [_statement(sorted(actions), resources, right) for right, actions, resources in joined.values()]


def _statement(actions: list[str], resources: list[str], right: Right) -> Statement:
    conditions = {
        operator: {key: _one(values) for key, values in wanted.items()} for operator, wanted in right.conditions.items()
    }
    allowed = {"Effect": "Allow", "Action": _one(actions), "Resource": _one(resources)}
    return {**allowed, "Condition": conditions} if conditions else allowed


def _one(values: Iterable[str]) -> str | list[str]:
    found = list(values)
    return found[0] if len(found) == 1 else found


def _portions(statements: Iterable[Statement]) -> list[list[Statement]]:
    portions: list[list[Statement]] = [[]]
    for statement in statements:
        if portions[-1] and length({"Version": "2012-10-17", "Statement": [*portions[-1], statement]}) > LIMIT:
            portions.append([])
        portions[-1].append(statement)
    return portions
