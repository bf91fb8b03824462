"""Floor 4, aws: the one place where clients are made, and where what AWS answers in anger becomes an error of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from retailops.config import Config
from retailops.errors import ConfigError, NotReady, RetailOpsError, TargetFailed
from retailops.targets.aws.ledger import Ledger
from retailops.targets.aws.names import Names
from retailops.targets.aws.settings import Settings


class Session:
    """Clients of one account and region; credentials come from AWS's own chain (environment, profile, SSO, role)."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.settings: Settings = config.settings("aws")

    @cached_property
    def _boto(self) -> Any:
        try:
            import boto3
        except ImportError as problem:
            raise NotReady(
                "The libraries of the target aws aren't installed.", "Install them: pip install 'retailops[aws]'"
            ) from problem
        return boto3.Session(region_name=self.settings.region)

    def client(self, service: str, **options: Any) -> Any:
        """A client that retries what may pass by itself; what it creates is written down in the ledger."""
        return Ledger(self).watch(self.unwatched(service, **options))

    def unwatched(self, service: str, **options: Any) -> Any:
        """A client that is kept out of the ledger, for the ledger's own use."""
        from botocore.config import Config as ClientConfig

        settings = ClientConfig(
            retries={"mode": "adaptive", "max_attempts": 8}, connect_timeout=10, read_timeout=60, **options
        )
        return self._boto.client(service, config=settings)

    @cached_property
    def account(self) -> str:
        """The twelve digits that the credentials belong to. ConfigError when retail.yaml expects another."""
        with translated("Asking AWS who these credentials are"):
            found = str(self.client("sts").get_caller_identity()["Account"])
        wanted = self.settings.account
        if wanted and found != wanted:
            raise ConfigError(
                f"These credentials belong to account {found}, and aws.account says {wanted}. Nothing was done.",
                "Choose the right credentials (AWS_PROFILE), or correct aws.account in retail.yaml.",
            )
        return found

    @cached_property
    def names(self) -> Names:
        project = self.config.project
        return Names(project.name, project.environment, self.settings.region, self.account)

    @property
    def tags(self) -> dict[str, str]:
        return self.names.tags(self.config.project.owner)

    @property
    def emulated(self) -> bool:
        """Whether AWS_ENDPOINT_URL leads somewhere that isn't AWS; such places know buckets by path alone."""
        return ".amazonaws.com" not in str(self.client("sts").meta.endpoint_url)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Errors of the SDK become ours: what was being done, what AWS says, what to do next."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as problem:
        raise _refused(doing, problem) from problem
    except BotoCoreError as problem:
        raise _unreached(doing, problem) from problem


def code_of(problem: Any) -> str:
    """AWS's name of an error, like `AccessDenied`."""
    return str(problem.response.get("Error", {}).get("Code", ""))


def is_throttled(problem: Any) -> bool:
    """Whether AWS refused because of too many calls, which passes by itself."""
    return code_of(problem) in _THROTTLED


_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_UNKNOWN = {"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "AuthFailure"}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedException"}
_THROTTLED = {"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException", "SlowDown"}
_LIMITED = {"LimitExceededException", "ResourceLimitExceeded", "ServiceQuotaExceededException", "LimitExceeded"}


def _refused(doing: str, problem: Any) -> RetailOpsError:
    code = code_of(problem)
    says = str(problem.response.get("Error", {}).get("Message", "")).strip() or code
    what = f"{doing}: AWS answered {code}: {says}"
    if code in _EXPIRED:
        return TargetFailed(what, "The credentials have expired: log in anew (aws sso login), then run this again.")
    if code in _UNKNOWN:
        return TargetFailed(what, "AWS doesn't know these credentials: check AWS_PROFILE or the keys, then run again.")
    if code in _DENIED:
        return TargetFailed(what, "A right is missing; what this project needs, and what is missing: retailops doctor")
    if code in _THROTTLED:
        return TargetFailed(what, "Too many calls at once in this account; run this again in a minute, it goes on.")
    if code in _LIMITED:
        return TargetFailed(what, "A quota of the account is used up: retailops doctor names it and how to raise it.")
    return TargetFailed(what, "Run this again: it goes on where it stopped. If it stays: retailops doctor")


def _unreached(doing: str, problem: Any) -> RetailOpsError:
    name = type(problem).__name__
    if "Credential" in name or "Token" in name or "Profile" in name:
        return TargetFailed(
            f"{doing}: no usable AWS credentials ({problem}).",
            "Log in (aws sso login, or aws configure), or set AWS_PROFILE; then: retailops doctor",
        )
    return TargetFailed(
        f"{doing}: AWS can't be reached ({name}: {problem}).", "Check the network, then run this again."
    )
