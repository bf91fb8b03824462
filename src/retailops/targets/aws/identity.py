"""Floor 4, aws: who these credentials are, until when, and as whom IAM knows them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from retailops.errors import RetailOpsError, TargetFailed
from retailops.ports import Finding
from retailops.targets.aws.session import Session, code_of, translated

_ENOUGH = timedelta(minutes=45)  # a cluster and its nodes take about half of that
_SSO = "AWSReservedSSO_"


def credentials(session: Session) -> Iterator[Finding]:
    """Whether there are any, of the right account, for long enough, and not the root user's."""
    try:
        arn = caller(session)
        account = session.account  # ConfigError when aws.account says another
    except RetailOpsError as problem:
        yield Finding("credentials", "failed", problem.what, problem.fix)
        return
    yield Finding("credentials", "ok", f"{arn}, account {account}")
    if arn.endswith(":root"):
        yield Finding(
            "credentials",
            "warning",
            "these are the root user's: they can't be limited, nor checked",
            "Use a role or user with the rights of: retailops doctor --policy",
        )
    ends = _ends(session)
    if ends and ends - datetime.now(UTC) < _ENOUGH:
        yield Finding(
            "credentials",
            "warning",
            f"they expire at {ends:%H:%M} UTC; building everything takes about 25 minutes",
            "Log in anew first (aws sso login); a command that was cut short goes on when run again.",
        )


def caller(session: Session) -> str:
    """The ARN that STS gives these credentials."""
    with translated("Asking AWS who these credentials are"):
        try:
            return str(session.client("sts").get_caller_identity()["Arn"])
        except RuntimeError as problem:  # the SDK's own, of variables that were exported long ago
            raise TargetFailed(
                f"These credentials can't be used: {problem}", "Log in anew and export them again, or set AWS_PROFILE."
            ) from problem


def principal(session: Session, arn: str) -> str:
    """The user or role whose policies decide; empty when IAM simulates nothing for such credentials."""
    kind = arn.rpartition(":")[2].partition("/")[0]
    if kind == "user":
        return arn
    return _role(session, arn) if kind == "assumed-role" else ""


def _role(session: Session, arn: str) -> str:
    """A session's ARN leaves out the path of its role, so IAM is asked; else the name must be enough."""
    from botocore.exceptions import ClientError

    prefix, name = arn.split(":sts:", maxsplit=1)[0], arn.split("/")[1]
    account = arn.split(":")[4]
    with translated(f"Looking up the role {name}"):
        try:
            return str(session.client("iam").get_role(RoleName=name)["Role"]["Arn"])
        except ClientError as problem:
            if code_of(problem) not in ("AccessDenied", "AccessDeniedException"):
                raise
    path = "aws-reserved/sso.amazonaws.com/" if name.startswith(_SSO) else ""
    return f"{prefix}:iam::{account}:role/{path}{name}"


def _ends(session: Session) -> datetime | None:
    """When credentials that nobody renews end. A profile's, a role's or a process's are renewed by the SDK itself."""
    import boto3

    found: Any = boto3.Session(region_name=session.settings.region).get_credentials()
    renewed = getattr(found, "method", "") != "env"
    moment: datetime | None = None if renewed else getattr(found, "_expiry_time", None)
    return moment
