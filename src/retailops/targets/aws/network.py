"""Floor 4, aws: whether the addresses that the config names can work, and clash with what is there."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from retailops.ports import Finding
from retailops.targets.aws.session import Session, translated
from retailops.targets.aws.settings import Settings

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PRIVATE = [ipaddress.ip_network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
_TAKEN = {
    ipaddress.ip_network("172.17.0.0/16"): "Docker's own network on a node",
    ipaddress.ip_network("172.20.0.0/16"): "the addresses that EKS gives to services",
    ipaddress.ip_network("10.100.0.0/16"): "the addresses that EKS gives to services",
}
_MOST_CIDRS = 40  # EKS takes no more for a cluster's public endpoint
_WIDE = 16  # bits: a wider network than this is hardly one's own


def addresses(settings: Settings) -> Iterator[Finding]:
    """What can be told without asking AWS."""
    vpc = ipaddress.ip_network(settings.vpc_cidr)
    clashes = [f"{network} ({whose})" for network, whose in _TAKEN.items() if vpc.overlaps(network)]
    fix = "Set aws.vpc_cidr to another network, like 10.20.0.0/16."
    if not any(_inside(vpc, each) for each in _PRIVATE):
        yield Finding("addresses", "failed", f"{vpc} isn't a private network of 10/8, 172.16/12 or 192.168/16", fix)
    elif clashes:
        yield Finding("addresses", "warning", f"{vpc} overlaps {', '.join(clashes)}", fix)
    else:
        yield Finding("addresses", "ok", f"{vpc} is clear of Docker's and EKS's own")
    yield _access([ipaddress.ip_network(each) for each in settings.api_cidrs])


def clashes(session: Session) -> Iterator[Finding]:
    """Other networks of the region with the same addresses: they could never be connected to this one."""
    vpc = ipaddress.ip_network(session.settings.vpc_cidr)
    others: list[str] = []
    with translated("Listing the region's networks"):
        pages = session.client("ec2").get_paginator("describe_vpcs").paginate()
        for found in (each for page in pages for each in page["Vpcs"]):
            if ours(session, found):
                continue
            blocks = {each["CidrBlock"] for each in found.get("CidrBlockAssociationSet", [])} | {found["CidrBlock"]}
            same = [each for each in sorted(blocks) if vpc.overlaps(ipaddress.ip_network(each))]
            others += [f"{found['VpcId']} ({each})" for each in same]
    if others:
        what = f"{vpc} overlaps {', '.join(others)}: fine alone, but they can't be peered with it"
        yield Finding("networks", "warning", what, "Set aws.vpc_cidr to a network that is free in this region.")
    else:
        yield Finding("networks", "ok", f"no other network of the region overlaps {vpc}")


def _access(allowed: list[Network]) -> Finding:
    """What aws.api_cidrs means for who can reach the cluster's API."""
    check, fix = "api access", 'Set aws.api_cidrs to the addresses you come from, like ["203.0.113.4/32"].'
    inner = [str(each) for each in allowed if any(_inside(each, private) for private in _PRIVATE)]
    wide = [str(each) for each in allowed if each.version == 4 and each.prefixlen < _WIDE]
    if not allowed:
        what = "aws.api_cidrs is empty: the cluster's API answers inside its VPC alone; from here kubectl and deploy "
        return Finding(check, "warning", what + "need a way into it, like a VPN", fix)
    if inner:
        return Finding(check, "failed", f"EKS refuses private networks here: {', '.join(inner)}", fix)
    if len(allowed) > _MOST_CIDRS:
        return Finding(check, "failed", f"{len(allowed)} networks; EKS takes {_MOST_CIDRS} at most", fix)
    if wide:
        return Finding(check, "warning", f"{', '.join(wide)} lets in 65,536 addresses and more", fix)
    return Finding(check, "ok", f"the cluster's API answers {', '.join(map(str, allowed))}")


def _inside(network: Network, outer: Network) -> bool:
    return network.version == outer.version and network.subnet_of(outer)  # type: ignore[arg-type]


def ours(session: Session, thing: Mapping[str, Any]) -> bool:
    """Whether its tags are this project's and environment's."""
    tags = {each["Key"]: each["Value"] for each in thing.get("Tags", [])}
    return session.names.tags("").items() <= tags.items()
