"""Floor 4, aws: what stands there and costs by the hour or the month, used or not: cluster, network, keys, alarms.

Parked (`infra park`), nodes, NAT, interface endpoints and the load balancer are gone; the rest stays. The counts below
are those of templates/aws/infra; a test compares them.
"""

from __future__ import annotations

from datetime import date

from retailops.targets.aws import traffic
from retailops.targets.aws.bill import HOURS, Bill, Month, Part, cents
from retailops.targets.aws.kubernetes_versions import SUPPORT
from retailops.targets.aws.settings import Settings

PART: Part = "infrastructure"
KEYS = 2
DASHBOARDS = 1
ALARMED = 4  # metrics that alarms look at, which is what is paid for, not alarms
METRICS = 6  # the API's own: requests, errors, latency, predictions by class
IMAGES_GB = 2.0  # in ECR; versions share the layers of their libraries


def rent(bill: Bill, settings: Settings, month: Month, today: date) -> None:
    """The lines of the part "infrastructure"."""
    _control_plane(bill, settings.kubernetes, today)
    _nodes(bill, settings, month)
    _network(bill, settings, month)
    rotation = "each costs $1 more after its first yearly rotation, and again after its second"
    bill.add(PART, f"KMS keys, {KEYS}", "kms.key", KEYS, rotation)
    bill.add(PART, "Images in ECR", "ecr.gb", IMAGES_GB)
    bill.add(PART, "CloudWatch dashboard", "cloudwatch.dashboard", DASHBOARDS)
    bill.add(PART, "Metrics with an alarm", "cloudwatch.alarm", ALARMED)
    bill.add(PART, "Metrics of the API", "cloudwatch.metric", METRICS * month.share, "paid while they are sent")


def _control_plane(bill: Bill, version: str, today: date) -> None:
    known = SUPPORT.get(version)
    newer = known is None and _minor(version) > max(map(_minor, SUPPORT))
    if newer or (known is not None and today < known.standard):
        bill.add(PART, "EKS control plane", "eks.cluster", HOURS, f"Kubernetes {version}, standard support")
    else:
        late = f"Kubernetes {version} has left standard support: six times the price, or EKS upgrades it by itself"
        bill.add(PART, "EKS control plane", "eks.cluster-extended", HOURS, late)


def _minor(version: str) -> int:
    return int(version.partition(".")[2])


def _nodes(bill: Bill, settings: Settings, month: Month) -> None:
    nodes = settings.nodes
    hours, on_demand = month.awake_hours, nodes.types[0]
    # Any of the types may be given, so the dearest is counted.
    spot = max(nodes.types, key=lambda name: bill.prices.of(f"spot.{name}").usd)
    most = cents(nodes.spot_max * hours, bill.prices.of(f"spot.{spot}").usd)
    grown = f"${most:,.2f} with all {nodes.spot_max} that a high load may bring"
    bill.add(PART, f"Nodes on demand, {nodes.base} × {on_demand}", f"ec2.{on_demand}", nodes.base * hours)
    bill.add(PART, f"Nodes on spot, {nodes.spot_min} × {spot}", f"spot.{spot}", nodes.spot_min * hours, grown)
    bill.add(PART, "Disks of the nodes, gp3", "ebs.gp3", (nodes.base + nodes.spot_min) * nodes.disk_gb * month.share)


def _network(bill: Bill, settings: Settings, month: Month) -> None:
    hours, zones = month.awake_hours, settings.zones
    gateways = zones if settings.nat == "per-az" else 1
    services = traffic.endpoints(settings, bill.prices)
    carried = traffic.carried_gb(settings) if "logs" in services else 0.0
    bill.add(PART, f"NAT gateways, {gateways}", "nat.hour", gateways * hours)
    bill.add(PART, "NAT traffic", "nat.gb", (settings.usage.nat_gb - carried) * month.used)
    bill.add(PART, "Public addresses of NAT", "ipv4.hour", gateways * hours)
    standing = f"{', '.join(services)} in {zones} zones"
    bill.add(PART, "Interface endpoints", "endpoint.hour", len(services) * zones * hours, standing)
    bill.add(PART, "Interface endpoint traffic", "endpoint.gb", carried * month.used)
