"""The ledger: what was created is written down, wherever it was, and the audit asks for it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from emulator import Emulator
from emulator.planting import Garden
from retailops.config import Config
from retailops.targets.aws.creations import CREATIONS
from retailops.targets.aws.infra import AwsInfra
from retailops.targets.aws.inventory.kinds import BY_NAME, BY_TERRAFORM
from retailops.targets.aws.ledger import Ledger
from retailops.targets.aws.removal import AwsRemoval
from retailops.targets.aws.session import Session

pytestmark = pytest.mark.slow  # an account in an emulator each: the contract suites have fast ones

SOURCE = Path(__file__).parents[3] / "src" / "retailops" / "targets" / "aws"


def make_volume(session: Session) -> str:
    made: str = session.client("ec2").create_volume(Size=1, AvailabilityZone="ap-southeast-1a")["VolumeId"]
    return made


def test_a_create_call_is_on_disk_when_it_returns(swift: Session) -> None:
    volume = make_volume(swift)
    lines = (swift.settings.folder / "ledger.jsonl").read_text().splitlines()
    entry = json.loads(lines[-1])
    assert entry["kind"] == "EBS volume" and entry["id"] == volume
    assert entry["operation"] == "ec2.CreateVolume" and entry["region"] == "ap-southeast-1"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*\+00:00", entry["time"])


def test_a_name_that_stands_in_the_call_alone_is_kept(swift: Session) -> None:
    swift.client("logs").create_log_group(logGroupName="retail-demo-dev/etl")
    (entry,) = Ledger(swift).entries()
    assert (entry.kind, entry.id) == ("log group", "retail-demo-dev/etl")


def test_a_call_that_was_refused_or_creates_nothing_is_not_written_down(swift: Session) -> None:
    with pytest.raises(ClientError):
        swift.client("ec2").create_volume(Size=1, AvailabilityZone="nowhere-1z", SnapshotId="snap-none")
    swift.client("ec2").describe_volumes()
    assert not (swift.settings.folder / "ledger.jsonl").exists()


def test_another_machine_reads_it_from_the_state_s_bucket(
    swift: Session, aws: Emulator, configured: Callable[[str], Config], tmp_path: Path
) -> None:
    Garden(aws).bucket(swift.names.state_bucket, versions=0)
    Ledger(swift).created("aws_nat_gateway", "nat-1", "aws_nat_gateway.main[0]")
    Ledger(swift).created("aws_vpc", "vpc-1", "aws_vpc.main")
    elsewhere = Session(configured("aws: {folder: elsewhere}"))
    ledger = Ledger(elsewhere)
    assert {entry.id for entry in ledger.entries()} == {"nat-1", "vpc-1"}
    ledger.keep()
    ledger.keep()
    aws.reset()
    assert {entry.id for entry in ledger.entries()} == {"nat-1", "vpc-1"}
    assert len((tmp_path / "elsewhere" / "ledger.jsonl").read_text().splitlines()) == 3


def test_a_line_that_a_power_cut_tore_harms_no_other(swift: Session) -> None:
    ledger = Ledger(swift)
    ledger.created("aws_vpc", "vpc-1", "aws_vpc.main")
    with ledger.path.open("a") as file:
        file.write('{"time": "2026-')
    ledger.created("aws_vpc", "vpc-2", "aws_vpc.other")
    assert [entry.id for entry in ledger.entries()] == ["vpc-1", "vpc-2"]


def test_what_only_the_ledger_knows_is_left_until_it_is_gone(swift: Session, aws: Emulator) -> None:
    volume = make_volume(swift)  # no tag, and no name
    removal = AwsRemoval(swift, AwsInfra(swift))
    assert [(change.kind, change.name) for change in removal.left()] == [("EBS volume", volume)]
    assert Ledger(swift).entries()
    aws.client("ec2").delete_volume(VolumeId=volume)
    assert removal.left() == []
    assert not Ledger(swift).path.exists(), "all of it is gone: the book is closed"


def test_terraform_s_way_of_naming_things_leads_to_them_too(swift: Session, aws: Emulator) -> None:
    aws.client("glue").create_database(DatabaseInput={"Name": "anything"})
    Ledger(swift).created("aws_glue_catalog_database", f"{aws.account}:anything", "aws_glue_catalog_database.main")
    Ledger(swift).created("aws_route_table_association", "rtbassoc-1", "a part, which goes with its table")
    left = AwsRemoval(swift, AwsInfra(swift)).left()
    assert [(change.kind, change.name) for change in left] == [("Glue database", "anything")]


def test_every_create_call_in_the_code_is_known_to_the_ledger() -> None:
    known = {re.sub(r"(?<!^)(?=[A-Z])", "_", operation.partition(".")[2]).lower() for operation in CREATIONS}
    calls = {
        node.func.attr
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    made = {
        name
        for name in calls
        if re.match(r"create_|run_instances|allocate_|register_|put_metric_alarm|put_dashboard", name)
    }
    assert "create_bucket" in made
    within = {
        "create_tags",
        "create_multipart_upload",
    }  # a tag, and an upload that ends with its bucket, or by its rule
    assert not made - within - known


def test_every_kind_that_the_ledger_writes_can_be_asked_for() -> None:
    assert not {kind for kind, _, _ in CREATIONS.values()} - set(BY_NAME)
    assert {"aws_vpc", "aws_nat_gateway", "aws_s3_bucket", "aws_eks_cluster", "aws_kms_key"} <= set(BY_TERRAFORM)
