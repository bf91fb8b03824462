"""Floor 4, aws: whether the region, its zones and its machines are what the config asks, and our names are free."""

from __future__ import annotations

from collections.abc import Iterator

from retailops.ports import Finding
from retailops.targets.aws.names import ZONES
from retailops.targets.aws.session import Session, code_of, translated
from retailops.targets.aws.state import State

_WITHOUT_EKS = {"use1-az3", "usw1-az2", "cac1-az3"}  # zones where EKS puts no control plane
_LONGEST_NAME = 63  # S3's
_MEANING = {"404": "free", "NoSuchBucket": "free", "403": "foreign"}


def region(session: Session) -> Iterator[Finding]:
    """Enabled for the account, and with enough zones."""
    from botocore.exceptions import ClientError

    name, wanted = session.settings.region, session.settings.zones
    with translated(f"Asking for the region {name}"):
        ec2 = session.client("ec2")
        try:
            found = ec2.describe_regions(RegionNames=[name], AllRegions=True)["Regions"]
        except ClientError as problem:
            if code_of(problem) != "InvalidParameterValue":
                raise
            found = []
    if not found:
        yield Finding("region", "failed", f"AWS knows no region {name}", "Correct aws.region in retail.yaml.")
        return
    if found[0].get("OptInStatus", "") == "not-opted-in":
        fix = f"Enable it: aws account enable-region --region-name {name}; that takes some minutes."
        yield Finding("region", "failed", f"{name} isn't enabled for this account", fix)
        return
    usable = zones(session)
    if len(usable) < wanted:
        fix = f"Set aws.zones: {max(2, len(usable))}, or another aws.region."
        yield Finding("region", "failed", f"{name} has {len(usable)} zones for this account, {wanted} are wanted", fix)
        return
    yield Finding("region", "ok", f"{name}: {', '.join(usable[:wanted])}")


def known(session: Session) -> Iterator[Finding]:
    """A region that the SDK hasn't heard of is a slip of the pen, or younger than the SDK; no request would arrive."""
    import boto3

    name, sdk = session.settings.region, boto3.Session(region_name="us-east-1")
    regions = {each for part in sdk.get_available_partitions() for each in sdk.get_available_regions("ec2", part)}
    if name not in regions:
        fix = "Correct aws.region in retail.yaml, or: pip install --upgrade boto3"
        yield Finding("region", "warning", f"boto3 {boto3.__version__} knows no region {name}", fix)


def zones(session: Session) -> list[str]:
    """Those that EKS can use, in the order in which Terraform takes them."""
    with translated("Listing the region's zones"):
        found = session.client("ec2").describe_availability_zones(
            Filters=[
                {"Name": "state", "Values": ["available"]},
                {"Name": "opt-in-status", "Values": ["opt-in-not-required"]},
            ]
        )["AvailabilityZones"]
    return sorted(each["ZoneName"] for each in found if each.get("ZoneId") not in _WITHOUT_EKS)


def machine_types(session: Session) -> Iterator[Finding]:
    """Whether the nodes' types can be had in each of the zones."""
    wanted = session.settings.nodes.types
    with translated("Asking which machines the zones have"):
        pages = (
            session.client("ec2")
            .get_paginator("describe_instance_type_offerings")
            .paginate(LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": list(wanted)}])
        )
        offered = {(each["InstanceType"], each["Location"]) for page in pages for each in page["InstanceTypeOfferings"]}
    places = zones(session)[: session.settings.zones]
    missing = {type_: [zone for zone in places if (type_, zone) not in offered] for type_ in wanted}
    nowhere = [type_ for type_, gaps in missing.items() if len(gaps) == len(places)]
    partly = [f"{type_} not in {', '.join(gaps)}" for type_, gaps in missing.items() if gaps and type_ not in nowhere]
    fix = "Set aws.nodes.types to types that this region has."
    if nowhere:
        yield Finding("machines", "failed", f"{', '.join(nowhere)} can't be had in {', '.join(places)}", fix)
    elif partly:
        yield Finding("machines", "warning", f"{'; '.join(partly)}: nodes will stand in the other zones alone", fix)
    else:
        yield Finding("machines", "ok", f"{', '.join(wanted)} in {', '.join(places)}")


def bucket_names(session: Session) -> Iterator[Finding]:
    """Bucket names are shared by all of AWS's customers: whether ours are free, or ours already."""
    names = [session.names.bucket(zone) for zone in (*ZONES, "trail")] + [session.names.state_bucket]
    fix = "Choose another project.name or project.environment in retail.yaml."
    long = [name for name in names if len(name) > _LONGEST_NAME]
    if long:
        yield Finding("bucket names", "failed", f"longer than S3's {_LONGEST_NAME} letters: {', '.join(long)}", fix)
        return
    standing = {name: _standing(session, name) for name in names}
    foreign = [name for name, state in standing.items() if state == "foreign"]
    elsewhere = [name for name, state in standing.items() if state == "elsewhere"]
    if foreign:
        what = f"taken by another account, or ours without the right s3:ListBucket: {', '.join(foreign)}"
        yield Finding("bucket names", "failed", what, fix)
    if elsewhere:
        yield Finding("bucket names", "failed", f"stand in another region: {', '.join(elsewhere)}", fix)
    if not foreign and not elsewhere:
        ours = sum(state == "ours" for state in standing.values())
        yield Finding("bucket names", "ok", f"{len(names) - ours} free, {ours} ours already")


def _standing(session: Session, name: str) -> str:
    """free, ours, foreign or elsewhere."""
    from botocore.exceptions import ClientError

    with translated(f"Looking for the bucket {name}"):
        try:
            found = session.client("s3").head_bucket(Bucket=name, ExpectedBucketOwner=session.account)
        except ClientError as problem:
            if code_of(problem) not in _MEANING:
                raise
            return _MEANING[code_of(problem)]
    region = session.settings.region
    return "ours" if found.get("BucketRegion", region) == region else "elsewhere"


def lock(session: Session) -> Iterator[Finding]:
    """Whether somebody works on the infrastructure at this moment."""
    held = State(session).lock()
    if held:
        fix = "Wait for it to finish. If that command died, let go of it with: retailops infra unlock"
        yield Finding("state", "warning", f"the state is locked by {held}", fix)
    else:
        yield Finding("state", "ok", "nobody else works on this infrastructure")
