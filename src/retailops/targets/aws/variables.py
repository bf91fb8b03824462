"""Floor 4, aws: from the config to the variables of templates/aws/infra."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from retailops.ports import Terms
from retailops.targets.aws.costs import interface_endpoints
from retailops.targets.aws.names import ZONES
from retailops.targets.aws.session import Session


def variables(session: Session, terms: Terms, before: Mapping[str, Any]) -> dict[str, Any]:
    """Name → value of every variable. What `terms` leave open stays as it was `before`, in the last variables."""
    config, settings = session.config, session.settings
    return {
        "project": config.project.name,
        "environment": config.project.environment,
        "owner": config.project.owner,
        "expires": shown(terms.expires) if terms.expires else before.get("expires", ""),
        "region": settings.region,
        "vpc_cidr": settings.vpc_cidr,
        "zones": settings.zones,
        "nat": settings.nat,
        "parked": before.get("parked", False) if terms.parked is None else terms.parked,
        "interface_endpoints": sorted(interface_endpoints(config)),
        "api_cidrs": list(settings.api_cidrs),
        "kubernetes_version": settings.kubernetes,
        "node_types": list(settings.nodes.types),
        "node_base": settings.nodes.base,
        "node_spot_min": settings.nodes.spot_min,
        "node_spot_max": settings.nodes.spot_max,
        "node_disk_gb": settings.nodes.disk_gb,
        "alarm_email": settings.alarm_email,
        "monthly_budget_usd": config.cost.monthly_budget_usd,
        "log_days": settings.log_days,
        "query_limit_gb": settings.query_limit_gb,
        "waf_arn": settings.ingress.waf_arn,
        "max_p95_ms": config.gates.p95_ms,
        "max_error_rate": config.monitor.max_error_rate,
        "buckets": {zone: session.names.bucket(zone) for zone in ZONES},
        "s3_path_style": session.emulated,
    }


def shown(moment: datetime) -> str:
    """ISO 8601, UTC, to the second, as tags have it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime | None:
    """`shown` read back; None for nothing."""
    return datetime.fromisoformat(text) if text else None
