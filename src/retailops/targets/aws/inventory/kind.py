"""Floor 4, aws, inventory: what the audit knows of a kind of thing. One small declaration a kind, see the tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from retailops.targets.aws.inventory.account import Account, is_gone

Facts = Mapping[str, Any]
Listing = Callable[[Account], Iterable[str]]
Looking = Callable[[Account, str], Facts | None]


@dataclass(frozen=True)
class Line:
    """One part of a price: `amount` a month of what prices.py calls `key`."""

    key: str
    amount: float


Price = Callable[[Facts], list[Line] | None]


def free(facts: Facts) -> list[Line]:
    """Costs nothing, or nothing by itself: declared, not assumed."""
    return []


def unpriced(facts: Facts) -> None:
    """No price is known; it is shown as such."""


def flat(key: str, amount: float = 1) -> Price:
    """The same for each of its kind."""
    return lambda facts: [Line(key, amount)]


@dataclass(frozen=True)
class Kind:
    """`listing` gives ids that may be ours; `looking` asks the thing's own service whether it is there.

    Facts of a thing: `name`, `tags` (as AWS writes them, or a mapping), `detail`, `note` when it is as good as gone,
    and whatever its price depends on.
    """

    name: str
    looking: Looking
    listing: Listing | None = None
    services: tuple[str, ...] = ()
    terraform: str = ""  # Terraform's type
    arn: str = ""  # pattern of its ARNs; the group is the id
    inside: tuple[str, str, str] | None = None  # operation, its filter argument and where the ids are, for a VPC's
    ec2: str = ""  # its type in EC2's own list of tags
    price: Price = free
    remove: str = ""  # the words of the AWS command line that remove it, up to its id; or all of them, with {id}
    by_name: bool = True  # whether a thing without our tags is ours when its name is
    swept: bool = False  # teardown's own steps remove it; the others are Terraform's
    follows: bool = False  # goes with the cluster that owns it

    def id_of(self, arn: str) -> str | None:
        match = re.search(self.arn, arn) if self.arn else None
        return match.group(1) if match else None


@dataclass(frozen=True)
class Found:
    """A thing that its own service says exists."""

    kind: Kind
    id: str
    facts: Facts = field(hash=False)

    @property
    def name(self) -> str:
        return _last(str(self.facts.get("name") or self.id))

    @property
    def tags(self) -> dict[str, str]:
        return plain_tags(self.facts.get("tags"))

    @property
    def note(self) -> str:
        return str(self.facts.get("note") or "")

    @property
    def detail(self) -> str:
        """Its own words, or the name it was tagged with where that isn't its id."""
        tagged = self.tags.get("Name", "")
        return str(self.facts.get("detail") or (tagged if tagged != self.name else ""))

    @property
    def lines(self) -> list[Line] | None:
        return self.kind.price(self.facts)


def ec2(
    name: str,
    type: str,
    operation: str,
    expression: str,
    argument: str,
    *,
    remove: str,
    price: Price = free,
    inside: str = "",
    **more: Any,
) -> Kind:
    """A kind of EC2, which tells the tags of all of them in one list, with their types."""
    filters = "Filter" if operation == "describe_nat_gateways" else "Filters"
    return Kind(
        name,
        look("ec2", operation, expression, None, **{argument: ["{id}"]}),
        services=("ec2",),
        arn=f":ec2:.*:{type}/(.+)$",
        ec2=type,
        inside=(operation, filters, inside) if inside else None,
        price=price,
        remove=f"ec2 {remove}",
        by_name=False,
        **more,
    )


def plain_tags(found: Any) -> dict[str, str]:
    """The many ways in which AWS writes tags, as one mapping."""
    if isinstance(found, Mapping):
        return {str(key): str(value) for key, value in found.items()}
    tags = {}
    for each in found or []:
        lower = {key.lower().removeprefix("tag"): value for key, value in each.items()}
        tags[str(lower.get("key", ""))] = str(lower.get("value", ""))
    return tags


def names(service: str, operation: str, expression: str, **arguments: Any) -> Listing:
    """All of a service's names that are ours by name. In arguments, `{prefix}` and `{account}` are filled in."""

    def listing(account: Account) -> Iterable[str]:
        found = account.ask(service, operation, expression, **_filled(arguments, account))
        return [each for each in found if account.is_named_ours(_last(each))]

    return listing


def look(service: str, operation: str, expression: str, tags: tuple[str, str, str] | None = None, **by: Any) -> Looking:
    """Ask for one by its id; `expression` gives its facts, or null when it is as good as gone.

    In arguments, `{id}` is filled in. `tags`: the operation, its argument and the expression that tell its tags,
    where the description doesn't; the argument is the fact `arn`.
    """

    def looking(account: Account, id: str) -> Facts | None:
        import jmespath

        client = account.client(service)
        answer = getattr(client, operation)(**_filled(by, account, id=id))
        facts = jmespath.search(expression, answer)
        if facts is None or tags is None or facts.get("tags"):
            return dict(facts) if facts is not None else None
        ask, argument, where = tags
        many = isinstance(argument, str) and argument.endswith("[]")
        value = [facts["arn"]] if many else facts["arn"]
        told = getattr(client, ask)(**{argument.removesuffix("[]"): value})
        return {**facts, "tags": jmespath.search(where, told)}

    return gone_is_none(looking)


def gone_is_none(looking: Looking) -> Looking:
    """An answer of "there is no such thing" is an answer, not an error."""

    def safely(account: Account, id: str) -> Facts | None:
        from botocore.exceptions import ClientError

        try:
            return looking(account, id)
        except ClientError as problem:
            if is_gone(problem):
                return None
            raise

    return safely


def _filled(value: Any, account: Account, **more: str) -> Any:
    if isinstance(value, str):
        known = {"prefix": account.prefix, "account": account.names.account, "region": account.names.region, **more}
        return re.sub(r"\{(\w+)\}", lambda found: known[found.group(1)], value)
    if isinstance(value, Mapping):
        return {key: _filled(each, account, **more) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, account, **more) for each in value]
    return value


def _last(id: str) -> str:
    """The name at the end of an ARN; any other text as it is."""
    return re.split(r"[:/]", id)[-1] if id.startswith("arn:") else id
