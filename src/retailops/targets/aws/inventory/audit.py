"""Floor 4, aws, inventory: the audit. Four sources say what may be ours; each thing's own service says what is there.

The sources: the tag API, EC2's list of tags, every service's own listing by name, and the ledger. None is believed:
tags are told of things that are gone, and not told of some that stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from retailops.progress import Progress
from retailops.targets.aws.inventory.account import Account
from retailops.targets.aws.inventory.kind import Found, Kind
from retailops.targets.aws.inventory.kinds import BY_EC2, BY_NAME, BY_TERRAFORM, KINDS, SERVICES, kind_of
from retailops.targets.aws.ledger import Entry
from retailops.targets.aws.session import translated

_THREADS = 16
_ARN = re.compile(r"arn:[^'\")]+")
Candidate = tuple[Kind, str]
T = TypeVar("T")
R = TypeVar("R")


def audit(account: Account, entries: Iterable[Entry], progress: Progress) -> list[Found]:
    """All that stands of this project, in the order of removal; what is as good as gone is told as a note."""
    account.prepare([*SERVICES, "resourcegroupstaggingapi"])
    written = set(_written(entries))
    candidates = written | _candidates(account, progress)
    found = _confirmed(account, candidates, written, progress)
    networks = [each.id for each in found if each.kind.name == "VPC"]
    if networks:  # what hangs in a network of ours is ours, tagged or not
        inside = {each for network in networks for each in _inside(account, network)}
        found += _confirmed(account, inside - candidates, inside, progress)
    for each in found:
        if each.note:
            progress.note(each.note)
    order = {kind.name: at for at, kind in enumerate(KINDS)}
    standing = [each for each in found if not each.note]
    return sorted(standing, key=lambda each: (order.get(each.kind.name, len(order)), each.name))


def _candidates(account: Account, progress: Progress) -> set[Candidate]:
    listings = [_listing(kind) for kind in KINDS if kind.listing]
    sources: list[Callable[[Account], list[Candidate]]] = [_tagged, _tagged_in_ec2, *listings]
    progress.stage("Asking AWS what there is", len(sources), "lists")
    found: set[Candidate] = set()
    for number, some in enumerate(_each(sources, lambda source: source(account)), start=1):
        found.update(some)
        progress.advance(number)
    return found


def _confirmed(
    account: Account, candidates: set[Candidate], trusted: set[Candidate], progress: Progress
) -> list[Found]:
    """Those that exist and are ours. `trusted`: created or holding by us, so that tags aren't needed."""
    if not candidates:
        return []
    progress.stage("Looking at each of them", len(candidates), "things")
    found = []
    ordered = sorted(candidates, key=lambda each: (each[0].name, each[1]))
    for number, each in enumerate(_each(ordered, lambda one: _look(account, one)), start=1):
        progress.advance(number)
        if each is not None and _is_ours(account, each, (each.kind, each.id) in trusted):
            found.append(each)
    return found


def _look(account: Account, candidate: Candidate) -> Found | None:
    kind, identity = candidate
    with translated(f"Looking whether the {kind.name} {identity} is there"):
        facts = kind.looking(account, identity)
    return Found(kind, identity, facts) if facts is not None else None


def _is_ours(account: Account, found: Found, trusted: bool) -> bool:
    """Tags decide where there are any of ours; then who made it, or the name."""
    tags = found.tags
    if account.has_own_tags(tags) or account.has_cluster_tag(tags):
        return True
    if account.is_foreign(tags):
        return False
    return trusted or found.kind.name == "unknown" or (found.kind.by_name and account.is_named_ours(found.name))


def _tagged(account: Account) -> list[Candidate]:
    """The tag API: most services, things that are gone included."""
    filters = [{"Key": key, "Values": [value]} for key, value in account.own_tags.items()]
    arns = account.ask(
        "resourcegroupstaggingapi", "get_resources", "ResourceTagMappingList[].ResourceARN", TagFilters=filters
    )
    whole = [match.group() for arn in arns if (match := _ARN.search(str(arn)))]
    return [candidate for arn in whole if (candidate := kind_of(arn))]


def _tagged_in_ec2(account: Account) -> list[Candidate]:
    """EC2's own list of tags: things that carry our tags, or the cluster's."""
    expression = "Tags[].[ResourceType, ResourceId]"

    def having(tags: dict[str, str]) -> set[tuple[str, str]]:
        found: set[tuple[str, str]] | None = None
        for key, value in tags.items():
            filters = [{"Name": "key", "Values": [key]}, {"Name": "value", "Values": [value]}]
            some = {(what, which) for what, which in account.ask("ec2", "describe_tags", expression, Filters=filters)}
            found = some if found is None else found & some
        return found or set()

    own = having(account.own_tags)
    clusters = [having({key: value}) for key, value in account.cluster_tags.items()]
    return [(BY_EC2[what], which) for what, which in own.union(*clusters) if what in BY_EC2]


def _listing(kind: Kind) -> Callable[[Account], list[Candidate]]:
    listing = kind.listing
    return lambda account: [(kind, each) for each in listing(account)] if listing else []


def _written(entries: Iterable[Entry]) -> Iterable[Candidate]:
    """What the ledger names, of kinds that can be asked for; a part of something goes with it."""
    for entry in entries:
        kind = BY_NAME.get(entry.kind) or BY_TERRAFORM.get(entry.kind)
        if kind is not None:
            yield kind, _written_id(kind, entry.id)


def _written_id(kind: Kind, id: str) -> str:
    """Terraform's ids of some kinds aren't the ones that their service takes."""
    from_arn = kind.id_of(id) if id.startswith("arn:") else None
    if from_arn:
        return from_arn
    if kind.name in ("node group", "EKS add-on"):
        return id.replace(":", "/", 1)
    if kind.name in ("Glue database", "budget"):  # account:name
        return id.rpartition(":")[2]
    return id


def _inside(account: Account, network: str) -> Iterable[Candidate]:
    vpc = [{"Name": "vpc-id", "Values": [network]}]
    for kind in KINDS:
        if kind.inside:
            operation, argument, expression = kind.inside
            yield from ((kind, each) for each in account.ask("ec2", operation, expression, **{argument: vpc}))


def _each(items: Iterable[T], work: Callable[[T], R]) -> Iterator[R]:
    """Results in the items' order, as they come."""
    with ThreadPoolExecutor(_THREADS) as pool:
        yield from pool.map(work, items)
