"""Floor 4, aws: how a row of the table of permissions becomes actions on the ARNs of one project."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from retailops.targets.aws.names import Names
from retailops.targets.aws.settings import Settings

Conditions = Mapping[str, Mapping[str, tuple[str, ...]]]  # operator → key → values

HERE: Conditions = {"StringEquals": {"aws:RequestedRegion": ("{region}",)}}
NEW: Conditions = {  # it gets our tags in the call that makes it
    "StringEquals": {
        "aws:RequestTag/retailops:project": ("{project}",),
        "aws:RequestTag/retailops:environment": ("{environment}",),
    }
}
OURS: Conditions = {  # it carries our tags
    "StringEquals": {
        "aws:ResourceTag/retailops:project": ("{project}",),
        "aws:ResourceTag/retailops:environment": ("{environment}",),
    }
}


def passed_to(*services: str) -> Conditions:
    return {"StringEquals": {"iam:PassedToService": tuple(f"{each}.amazonaws.com" for each in services)}}


def linked_to(*services: str) -> Conditions:
    return {"StringEquals": {"iam:AWSServiceName": tuple(f"{each}.amazonaws.com" for each in services)}}


def _always(settings: Settings) -> bool:
    return True


@dataclass(frozen=True)
class Row:
    """`actions` = "service: Action Action", `resources` = ends of ARNs of that service, or whole ARNs, or `*`."""

    area: str
    actions: str
    resources: str
    conditions: Conditions = field(default_factory=dict)
    wanted: Callable[[Settings], bool] = _always


@dataclass(frozen=True)
class Right:
    """A row, filled in for one project, account and region."""

    area: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: Conditions

    @property
    def service(self) -> str:
        return self.actions[0].partition(":")[0]


_GLOBAL = {"budgets", "iam"}  # their ARNs name no region


def filled(rows: Iterable[Row], names: Names, settings: Settings) -> list[Right]:
    """The rows that this config wants, with its names in them."""
    words = {
        "partition": partition(names.region),
        "region": names.region,
        "account": names.account,
        "prefix": names.prefix,
        "snake": names.prefix.replace("-", "_"),
        "project": names.project,
        "environment": names.environment,
    }
    return [_filled(row, words) for row in rows if row.wanted(settings)]


def partition(region: str) -> str:
    """The part of AWS's world that a region belongs to; it stands in every ARN."""
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"


def _filled(row: Row, words: Mapping[str, str]) -> Right:
    service, _, actions = row.actions.partition(": ")
    return Right(
        row.area,
        tuple(f"{service}:{action}" for action in actions.split()),
        tuple(_arn(service, resource).format(**words) for resource in row.resources.split()),
        {
            operator: {
                key.format(**words): tuple(each.format(**words) for each in values) for key, values in wanted.items()
            }
            for operator, wanted in row.conditions.items()
        },
    )


def _arn(service: str, resource: str) -> str:
    if resource == "*" or resource.startswith("arn:"):
        return resource
    if service == "s3":
        return f"arn:{{partition}}:s3:::{resource}"
    region = "" if service in _GLOBAL else "{region}"
    return f"arn:{{partition}}:{service}:{region}:{{account}}:{resource}"
