"""Floor 4, aws: the account's quotas against what this config will create, and what stands already."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from retailops.ports import Finding
from retailops.targets.aws.network import ours
from retailops.targets.aws.session import Session, code_of, translated

_STANDARD = re.compile(r"^(a|c|d|h|i|im|is|m|r|t|z)\d")  # families that the two vCPU quotas count
_ALIVE = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]


@dataclass(frozen=True)
class Use:
    """How much of a quota is used, and how much more this config will need."""

    used: float
    more: float


@dataclass(frozen=True)
class Quota:
    name: str
    service: str
    code: str  # AWS's own
    use: Callable[[Session], Use]


def quotas(session: Session) -> Iterator[Finding]:
    """One finding a quota."""
    for quota in QUOTAS:
        limit = _limit(session, quota)
        if limit is None:
            yield Finding(f"quota: {quota.name}", "skipped", "AWS tells no limit of it here")
            continue
        with translated(f"Counting {quota.name}"):
            use = quota.use(session)
        what = f"{use.used:g} of {limit:g} used, {use.more:g} more needed"
        if use.used + use.more <= limit:
            yield Finding(f"quota: {quota.name}", "ok", what)
        else:
            fix = _raise(session, quota.service, quota.code, use.used + use.more)
            yield Finding(f"quota: {quota.name}", "failed", what, fix)
    yield _training(session)


def _limit(session: Session, quota: Quota) -> float | None:
    """The account's own value, or AWS's default where it has none."""
    from botocore.exceptions import ClientError

    client = session.client("service-quotas")
    with translated(f"Asking for the quota of {quota.name}"):
        for ask in (client.get_service_quota, client.get_aws_default_service_quota):
            try:
                return float(ask(ServiceCode=quota.service, QuotaCode=quota.code)["Quota"]["Value"])
            except ClientError as problem:
                if code_of(problem) != "NoSuchResourceException":
                    raise
    return None


def _training(session: Session) -> Finding:
    """Jobs aren't begun by `infra up`, so a quota of none is a warning."""
    training, other = session.settings.training.instance, session.settings.jobs.instance
    wanted = {f"{training} for {way}training job usage": session.settings.training.instances for way in ("", "spot ")}
    wanted |= {f"{other} for processing job usage": 1, **_endpoint(session)}
    names = [*wanted]
    found: dict[str, Mapping[str, Any]] = {}
    with translated("Asking for SageMaker's quotas"):
        pages = session.client("service-quotas").get_paginator("list_service_quotas")
        for page in pages.paginate(ServiceCode="sagemaker"):
            found |= {each["QuotaName"]: each for each in page["Quotas"] if each["QuotaName"] in names}
            if len(found) == len(names):
                break
    check = "quota: training"
    few = [found[name] for name in names if name in found and found[name]["Value"] < wanted[name]]
    if few:
        fix = "\n".join(_raise(session, "sagemaker", each["QuotaCode"], wanted[each["QuotaName"]]) for each in few)
        return Finding(check, "warning", ", ".join(f"{each['QuotaName']}: {each['Value']:g}" for each in few), fix)
    if not found:
        return Finding(check, "skipped", f"AWS tells no limit of {training} here")
    return Finding(check, "ok", ", ".join(f"{name}: {found[name]['Value']:g}" for name in names if name in found))


def _endpoint(session: Session) -> dict[str, int]:
    """An update stands beside what it replaces, so it takes twice the machines."""
    machines = session.settings.endpoint
    if session.config.deploy.engine != "sagemaker":
        return {}
    return {f"{machines.instance} for endpoint usage": 2 * machines.instances_max}


def _raise(session: Session, service: str, code: str, value: float) -> str:
    return (
        f"aws service-quotas request-service-quota-increase --service-code {service} --quota-code {code} "
        f"--desired-value {value:g} --region {session.settings.region}"
    )


def _networks(session: Session) -> Use:
    found = _described(session, "describe_vpcs", "Vpcs")
    return Use(len(found), 0 if any(ours(session, each) for each in found) else 1)


def _addresses(session: Session) -> Use:
    found = session.client("ec2").describe_addresses()["Addresses"]
    standing = sum(ours(session, each) for each in found)
    return Use(len(found), max(0, _gateways_wanted(session) - standing))


def _gateways(session: Session) -> Use:
    """The quota is one of a zone: the fullest counts, as long as ours may have to go there."""
    alive = [{"Name": "state", "Values": ["pending", "available", "deleting"]}]
    found = _described(session, "describe_nat_gateways", "NatGateways", Filter=alive)
    subnets = _described(session, "describe_subnets", "Subnets")
    zone_of = {each["SubnetId"]: each["AvailabilityZone"] for each in subnets}
    fullest = max(Counter(zone_of.get(each.get("SubnetId"), "") for each in found).values(), default=0)
    standing = sum(ours(session, each) for each in found)
    return Use(fullest, 1 if standing < _gateways_wanted(session) else 0)


def _gateways_wanted(session: Session) -> int:
    return session.settings.zones if session.settings.nat == "per-az" else 1


def _on_demand(session: Session) -> Use:
    nodes = session.settings.nodes
    return _cores(session, "on-demand", nodes.base, nodes.types[:1])


def _spot(session: Session) -> Use:
    nodes = session.settings.nodes
    return _cores(session, "spot", nodes.spot_max, nodes.types)


def _cores(session: Session, kind: str, count: int, types: tuple[str, ...]) -> Use:
    """vCPUs of running machines of one way to pay, and of `count` nodes of the largest of our types."""
    running = [
        machine
        for reservation in _described(session, "describe_instances", "Reservations", Filters=_ALIVE)
        for machine in reservation["Instances"]
        if machine.get("InstanceLifecycle", "on-demand") == kind and _STANDARD.match(machine["InstanceType"])
    ]
    nodes = [each for each in running if ours(session, each)]
    size = _sizes(session, {each["InstanceType"] for each in running} | set(types))
    needed = count * max((size.get(each, 0) for each in types if _STANDARD.match(each)), default=0)
    used, standing = (sum(size.get(each["InstanceType"], 0) for each in group) for group in (running, nodes))
    return Use(used, max(0, needed - standing))


def _sizes(session: Session, types: set[str]) -> dict[str, int]:
    found = _described(session, "describe_instance_types", "InstanceTypes", InstanceTypes=sorted(types))
    return {each["InstanceType"]: each["VCpuInfo"]["DefaultVCpus"] for each in found}


def _clusters(session: Session) -> Use:
    pages = session.client("eks").get_paginator("list_clusters").paginate()
    found = [name for page in pages for name in page["clusters"]]
    return Use(len(found), 0 if session.names.prefix in found else 1)


def _described(session: Session, operation: str, key: str, **options: Any) -> list[dict[str, Any]]:
    pages = session.client("ec2").get_paginator(operation).paginate(**options)
    return [each for page in pages for each in page[key]]


QUOTAS = (
    Quota("networks", "vpc", "L-F678F1CE", _networks),
    Quota("elastic IPs", "ec2", "L-0263D0A3", _addresses),
    Quota("NAT gateways", "vpc", "L-FE5A380F", _gateways),
    Quota("on-demand vCPUs", "ec2", "L-1216C47A", _on_demand),
    Quota("spot vCPUs", "ec2", "L-34B43A08", _spot),
    Quota("clusters", "eks", "L-1194D53C", _clusters),
)
