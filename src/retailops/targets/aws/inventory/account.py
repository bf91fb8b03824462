"""Floor 4, aws, inventory: the account as the audit sees it, and what in it is this project's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from threading import Lock
from typing import Any

from retailops.targets.aws.session import Session, code_of, translated

_GONE = re.compile(r"NotFound|NoSuch|NotExist|NonExist|^404$")
# Services that have one code for "there is no such thing" and for much else: their words decide.
_VAGUE = {"ValidationException", "ValidationError", "InvalidRequestException"}
_GONE_WORDS = re.compile(r"not found|not exist|could not find|cannot find|couldn't find|unable to find", re.IGNORECASE)


class Account:
    """Clients, each made once, and the rules that say whose a thing is."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.names = session.names
        self._clients: dict[str, Any] = {}
        self._lock = Lock()

    def client(self, service: str) -> Any:
        """A client that threads share; making one isn't safe in several threads at once."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self.session.unwatched(service)
            return self._clients[service]

    def ask(self, service: str, operation: str, expression: str, **arguments: Any) -> list[Any]:
        """Every page of an operation's answer, and what `expression` (JMESPath) finds in it."""
        import jmespath

        client = self.client(service)
        with translated(f"Asking {service} to {operation.replace('_', ' ')}"):
            if client.can_paginate(operation):
                found = client.get_paginator(operation).paginate(**arguments).search(expression)
                return [each for each in found if each is not None]
            answer = jmespath.search(expression, getattr(client, operation)(**arguments))
            return answer if isinstance(answer, list) else [] if answer is None else [answer]

    @property
    def prefix(self) -> str:
        return self.names.prefix

    @property
    def own_tags(self) -> dict[str, str]:
        return {"retailops:project": self.names.project, "retailops:environment": self.names.environment}

    @property
    def cluster_tags(self) -> dict[str, str]:
        """What Kubernetes, its controllers and EKS tag the cluster's things with; a cluster's name is unique here."""
        return {
            "elbv2.k8s.aws/cluster": self.prefix,
            "eks:cluster-name": self.prefix,
            "aws:eks:cluster-name": self.prefix,
            "cluster.k8s.amazonaws.com/name": self.prefix,
            f"kubernetes.io/cluster/{self.prefix}": "owned",
        }

    def has_own_tags(self, tags: Mapping[str, str]) -> bool:
        return all(tags.get(key) == value for key, value in self.own_tags.items())

    def has_cluster_tag(self, tags: Mapping[str, str]) -> bool:
        return any(tags.get(key) == value for key, value in self.cluster_tags.items())

    def is_foreign(self, tags: Mapping[str, str]) -> bool:
        """Whether its tags say that it is another project's, or another environment's."""
        return any(tags.get(key, value) != value for key, value in self.own_tags.items())

    def is_named_ours(self, name: str) -> bool:
        """By name alone: our prefix, or what continues it with a hyphen; and no neighbour's longer prefix.

        Names may be paths: `/aws/eks/<prefix>/cluster`. Glue and Athena want underscores.
        """
        parts = [part.replace("_", "-") for part in name.split("/")]
        return any(_continues(part, self.prefix) and not self._is_neighbours(part) for part in parts)

    def _is_neighbours(self, part: str) -> bool:
        return any(_continues(part, each) for each in self._neighbours)

    @cached_property
    def _neighbours(self) -> list[str]:
        """Prefixes of other environments that begin with ours and a hyphen, as their state buckets tell."""
        pattern = re.compile(f"({re.escape(self.prefix)}-.+)-tfstate-{self.names.account}")
        matches = map(pattern.fullmatch, self.ask("s3", "list_buckets", "Buckets[].Name"))
        return [match.group(1) for match in matches if match]

    def prepare(self, services: Iterable[str]) -> None:
        """Make clients, and ask for the neighbours, before threads begin."""
        for service in services:
            self.client(service)
        _ = self._neighbours


@contextmanager
def unless_gone() -> Iterator[None]:
    """Leave the block quietly when AWS says that there is no such thing; every other refusal is passed on."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as problem:
        if not is_gone(problem):
            raise


def is_gone(problem: Any) -> bool:
    code, words = code_of(problem), str(problem.response.get("Error", {}).get("Message", ""))
    return bool(_GONE.search(code)) or (code in _VAGUE and bool(_GONE_WORDS.search(words)))


def _continues(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}-")
