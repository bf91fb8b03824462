"""Floor 3: what Terraform complains about, as where, what, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retailops.errors import NotReady, RetailOpsError, TargetFailed

_SHOWN = 5  # errors told in full; the log has all


@dataclass(frozen=True)
class Rule:
    """`pattern` is searched in what was said; `fix` is the next step. `what` replaces the words that were said."""

    pattern: str
    fix: str
    what: str = ""
    error: type[RetailOpsError] = TargetFailed
    cause: str = ""  # a word for it that programs may rely on


RULES = (
    Rule(
        r"acquiring the state lock",
        "Wait until it is done. If that run is dead (its machine gone, its process killed): retailops infra unlock",
        error=NotReady,
        cause="locked",
    ),
    Rule(
        r"Failed to query available provider packages|Failed to install provider|registry\.terraform\.io",
        "Terraform fetches its provider at the first use: check the network, or a mirror in Terraform's own CLI "
        "configuration.",
        cause="provider",
    ),
    Rule(
        r"Saved plan is stale",
        "Somebody changed the infrastructure meanwhile: run this again.",
        error=NotReady,
        cause="stale",
    ),
    Rule(
        r"dial tcp|no such host|request send failed|i/o timeout|TLS handshake timeout|connection (reset|refused)|"
        r"unexpected EOF|context deadline exceeded",
        "The network broke on the way: check it, then run this again: it goes on where it stopped.",
        cause="network",
    ),
)


def refusal(verb: str, errors: Sequence[Mapping[str, Any]], log: Path | None, rules: Sequence[Rule]) -> RetailOpsError:
    """The error of a Terraform command that failed: every diagnostic with its place, and the first known way out."""
    found = [(_told(each, rules), _rule(each, rules)) for each in errors]
    distinct = list(dict.fromkeys(text for text, _ in found))
    more = [f"… and {len(distinct) - _SHOWN} more."] if len(distinct) > _SHOWN else []
    rule = next((rule for _, rule in found if rule), None)
    fixes = list(dict.fromkeys(rule.fix for _, rule in found if rule))
    where = f" Everything that Terraform said: {log}" if log else ""
    what = "\n".join([*distinct[:_SHOWN], *more]) or f"terraform {verb} failed without a word."
    fix = "\n".join(fixes) or "Run this again: it goes on where it stopped." + where
    details = {"cause": rule.cause if rule else "", "diagnostics": [dict(each) for each in errors]}
    return (rule.error if rule else TargetFailed)(what, fix, details=details)


def fitting(text: str, rules: Sequence[Rule]) -> Rule | None:
    """The first rule that knows what `text` means."""
    return next((rule for rule in rules if re.search(rule.pattern, text)), None)


def plain(text: str) -> str:
    """One line, without colours, without identifiers of requests and without what only a machine can read."""
    text = re.sub(r"\s+", " ", re.sub(r"\x1b\[[0-9;]*m", "", text)).strip()
    text = re.sub(r",? ?(?:RequestID|HostID|request id|StatusCode): ?[\w/+=-]*,?", "", text)
    return re.sub(r" ?Encoded authorization failure message: [\w+/=-]{20,}", "", text)


def _rule(diagnostic: Mapping[str, Any], rules: Sequence[Rule]) -> Rule | None:
    return fitting(f"{diagnostic.get('summary', '')}\n{diagnostic.get('detail', '')}", (*rules, *RULES))


def _told(diagnostic: Mapping[str, Any], rules: Sequence[Rule]) -> str:
    """`aws_eks_cluster.main (cluster.tf:12): what`."""
    place = diagnostic.get("range") or {}
    at = f"{place['filename']}:{place['start']['line']}" if place.get("filename") and place.get("start") else ""
    address = str(diagnostic.get("address", ""))
    where = f"{address} ({at})" if address and at else address or at
    rule = _rule(diagnostic, rules)
    says = (rule.what if rule else "") or _sentence(diagnostic)
    return f"{where}: {says}" if where else says


def _sentence(diagnostic: Mapping[str, Any]) -> str:
    """Summary and detail on one line, without what is said twice and without identifiers of requests."""
    summary, detail = (plain(str(diagnostic.get(key) or "")) for key in ("summary", "detail"))
    return (summary if not detail or detail in summary else f"{summary}: {detail}")[:600]
