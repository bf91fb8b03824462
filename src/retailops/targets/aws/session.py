"""Floor 4, aws: the one place where clients are made, and where what AWS answers in anger becomes an error of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from retailops.config import Config
from retailops.errors import ConfigError, NotReady, RetailOpsError, TargetFailed
from retailops.targets.aws.diagnoses import RULES
from retailops.targets.aws.ledger import Ledger
from retailops.targets.aws.names import Names
from retailops.targets.aws.settings import Settings
from retailops.tools.diagnosis import fitting, plain


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
        return _client(self._boto, service, **options)

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


def unbound(service: str) -> Any:
    """A client for a pod, which has no retail.yaml: region and role are what its environment says."""
    import boto3

    return _client(boto3.Session(), service)


def _client(boto: Any, service: str, **options: Any) -> Any:
    from botocore.config import Config as ClientConfig

    patience = {"mode": "adaptive", "max_attempts": 8}
    settings = ClientConfig(retries=patience, connect_timeout=10, read_timeout=60, **options)
    return boto.client(service, config=settings)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Errors of the SDK become ours: what was being done, what AWS says, what to do next."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as problem:
        code, says = code_of(problem), str(problem.response.get("Error", {}).get("Message", "")).strip()
        raise _error(code, says, f"{doing}: AWS answered {code}{': ' if says else ''}{says}") from problem
    except BotoCoreError as problem:
        name, says = type(problem).__name__, str(problem)
        raise _error(name, says, f"{doing}: {says} ({name})") from problem


def code_of(problem: Any) -> str:
    """AWS's name of an error, like `AccessDenied`."""
    return str(problem.response.get("Error", {}).get("Code", ""))


def is_throttled(problem: Any) -> bool:
    """Whether AWS refused because of too many calls, which passes by itself."""
    rule = fitting(code_of(problem), RULES)
    return rule is not None and rule.cause == "throttled"


def _error(code: str, says: str, what: str) -> RetailOpsError:
    """The SDK's own words, whole, with the next step of the first rule that knows them."""
    rule = fitting(f"{code}: {says}", RULES)
    fix = rule.fix if rule else "Run this again: it goes on where it stopped. If it stays: retailops doctor"
    details = {"cause": rule.cause if rule else "", "code": code}
    return (rule.error if rule else TargetFailed)(plain(what), fix, details=details)
