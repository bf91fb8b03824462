"""Floor 4, aws: until when EKS supports a Kubernetes version at the normal price."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from retailops.errors import RetailOpsError
from retailops.ports import Finding
from retailops.targets.aws.session import Session, translated

READ = "2026-11-25"  # the day on which these dates were read
SOURCE = "docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html; 1.36: endoflife.date/amazon-eks"
_NOTICE = timedelta(days=60)


@dataclass(frozen=True)
class Support:
    """Both days are the first without it, in UTC."""

    standard: date
    extended: date


SUPPORT = {
    "1.31": Support(date(2025, 11, 26), date(2026, 11, 26)),
    "1.32": Support(date(2026, 3, 23), date(2027, 3, 23)),
    "1.33": Support(date(2026, 7, 29), date(2027, 7, 29)),
    "1.34": Support(date(2026, 12, 2), date(2027, 12, 2)),
    "1.35": Support(date(2027, 3, 27), date(2028, 3, 27)),
    "1.36": Support(date(2027, 8, 2), date(2028, 8, 2)),
}


def kubernetes_version(session: Session, today: date | None = None) -> Iterator[Finding]:
    """By what EKS says of its versions; by the table above when it can't be asked."""
    wanted = session.settings.kubernetes
    try:
        known, origin = _asked(session), "EKS"
    except RetailOpsError:
        known, origin = SUPPORT, f"the table of {READ}"
    yield judged(wanted, known, origin, today or datetime.now(UTC).date())


def judged(wanted: str, known: dict[str, Support], origin: str, today: date) -> Finding:
    """What the end of support means for this version on this day."""
    check = "kubernetes"
    good = [version for version, support in known.items() if support.standard - today > _NOTICE]
    newest = max(good, key=_number, default=wanted)
    fix = f'Set aws.kubernetes: "{newest}".'
    found = known.get(wanted)
    if found is None:
        what = f"{wanted} isn't among the versions that {origin} knows"
        return Finding(check, "failed" if origin == "EKS" else "warning", what, fix)
    ends = f"{found.standard:%Y-%m-%d}"
    if today >= found.standard:
        what = f"{wanted} left standard support on {ends}, so EKS upgrades the cluster by itself ({origin})"
        return Finding(check, "failed", what, fix)
    if found.standard - today <= _NOTICE:
        return Finding(check, "warning", f"standard support of {wanted} ends on {ends} ({origin})", fix)
    return Finding(check, "ok", f"{wanted}, in standard support until {ends} ({origin})")


def _asked(session: Session) -> dict[str, Support]:
    found: dict[str, Support] = {}
    with translated("Asking EKS for its versions"):
        pages = session.client("eks").get_paginator("describe_cluster_versions").paginate(includeAll=True)
        for page in pages:
            for each in page["clusterVersions"]:
                ends = [each.get(f"endOf{kind}SupportDate") for kind in ("Standard", "Extended")]
                if all(ends):
                    found[each["clusterVersion"]] = Support(*(moment.astimezone(UTC).date() for moment in ends))
    return found


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
