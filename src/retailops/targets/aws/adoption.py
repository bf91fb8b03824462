"""Floor 4, aws: what stands already and is ours is taken into Terraform's state, instead of standing in the way.

That is what `teardown --keep data` left, and what a run made whose last words were cut off: the audit finds it, and
what a plan would create finds its like among it, by tag or by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from retailops import files
from retailops.errors import TargetFailed
from retailops.progress import Progress
from retailops.targets.aws import built
from retailops.targets.aws.inventory.account import Account
from retailops.targets.aws.inventory.audit import audit
from retailops.targets.aws.inventory.kind import Found
from retailops.targets.aws.ledger import Ledger
from retailops.targets.aws.session import Session
from retailops.tools.terraform import ResourceChange

_FILE = "adopt.tf.json"
_STANDS = re.compile(r"AlreadyExists|already exists|already in use|AlreadyOwned|ResourceInUse|Duplicate")
_NAMES = (
    "name",
    "bucket",
    "node_group_name",
    "addon_name",
    "alarm_name",
    "dashboard_name",
    "feature_group_name",
    "model_package_group_name",
)
_WITH_ACCOUNT = ("Glue database", "budget")  # Terraform knows them as account:name
_WITH_CLUSTER = ("node group", "EKS add-on")  # and these as cluster:name


def prepare(module: Path, session: Session, planned: Sequence[ResourceChange], progress: Progress) -> int:
    """Write import blocks for what is planned to be created and stands. Returns how many; none leaves no file."""
    return _write(module, [], _standing(session, _created(planned), progress))


def follow(module: Path, session: Session, planned: Sequence[ResourceChange]) -> int:
    """Add blocks for parts of what is taken in, which can be told only now that their wholes are known."""
    before = files.read_json(module / _FILE)["import"]
    return _write(module, before, _ways(Account(session), _created(planned)))


def _created(planned: Sequence[ResourceChange]) -> list[ResourceChange]:
    return [each for each in planned if each.actions == ("create",)]


def _write(module: Path, before: list[dict[str, str]], found: Iterator[tuple[str, str]]) -> int:
    more = [{"to": address, "id": identity} for address, identity in found]
    if more:
        files.write_json(module / _FILE, {"import": [*before, *more]})
    return len(more)


def pending(module: Path) -> bool:
    """Whether the last plan takes something in."""
    return (module / _FILE).exists()


def may_help(problem: TargetFailed) -> bool:
    """Whether AWS refused to create what it has: the answer to a first request got lost, say, and it was sent again."""
    return bool(_STANDS.search(problem.what))


def over(module: Path) -> None:
    """What was to be adopted is in the state now."""
    (module / _FILE).unlink(missing_ok=True)


def _standing(session: Session, creating: Sequence[ResourceChange], progress: Progress) -> Iterator[tuple[str, str]]:
    """(Terraform's address, identity) of each; parts of things, like a bucket's policy, are simply written again."""
    if not creating:
        return
    account = Account(session)
    # Of the same kind: cluster, trail and workgroup all have the project's own name.
    known = {(resource.type, each) for resource in built.resources(account) for each in resource.ids}
    standing = audit(account, Ledger(session).entries(), progress)
    strays = [found for found in standing if not known & _known_as(found)]
    for each in creating:
        alike = [found for found in strays if found.kind.terraform == each.type and _is_it(found, each)]
        if len(alike) == 1:  # of two that fit, none is taken: the audit tells of both
            yield each.address, _identity(account, alike[0])
    yield from _ways(account, creating)


def _known_as(found: Found) -> set[tuple[str, str]]:
    return {(found.kind.terraform, found.id), (found.kind.terraform, found.name)}


def _is_it(found: Found, wanted: ResourceChange) -> bool:
    """By the tag Name where both have one, else by the name: a bucket may have been made, and its tags not yet."""
    tagged = (wanted.after.get("tags_all") or {}).get("Name")
    if tagged and found.tags.get("Name"):
        return found.tags["Name"] == str(tagged)
    names = {str(wanted.after[key]) for key in _NAMES if wanted.after.get(key)}
    return bool(names & {found.name, found.id, found.id.rpartition("/")[2]})


def _identity(account: Account, found: Found) -> str:
    """What Terraform imports it by."""
    if found.kind.name in _WITH_ACCOUNT:
        return f"{account.names.account}:{found.id}"
    if found.kind.name in _WITH_CLUSTER:
        return found.id.replace("/", ":", 1)
    if found.kind.name == "CloudTrail trail":
        return str(found.facts["arn"])
    return found.id


def _ways(account: Account, creating: Sequence[ResourceChange]) -> Iterator[tuple[str, str]]:
    """Routes and tables of subnets, which have neither tags nor names; only of tables that are in the state."""
    tables = {str(each.after["route_table_id"]) for each in creating if each.after.get("route_table_id")}
    if not tables:
        return
    expression = "RouteTables[]"
    filters = [{"Name": "route-table-id", "Values": sorted(tables)}]
    standing: dict[str, Any] = {
        each["RouteTableId"]: each for each in account.ask("ec2", "describe_route_tables", expression, Filters=filters)
    }
    for each in creating:
        table = standing.get(str(each.after.get("route_table_id")), {})
        target, subnet = each.after.get("destination_cidr_block"), each.after.get("subnet_id")
        if target and target in [route.get("DestinationCidrBlock") for route in table.get("Routes", [])]:
            yield each.address, f"{table['RouteTableId']}_{target}"
        if subnet and subnet in [part.get("SubnetId") for part in table.get("Associations", [])]:
            yield each.address, f"{subnet}/{table['RouteTableId']}"
