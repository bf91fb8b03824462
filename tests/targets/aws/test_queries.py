"""Questions on aws: the catalog shows the newest dataset, Athena answers, and tells what it scanned."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.retail.transactions import row, weeks, write

from emulator import Emulator, Request, Response, grounds
from emulator.recording import recorded
from retailops import files
from retailops.errors import NotReady, UsageError
from retailops.progress import Silent
from retailops.retail import etl
from retailops.retail.dataset import Dataset
from retailops.targets.aws import permissions
from retailops.targets.aws.athena import Athena
from retailops.targets.aws.catalog import Catalog
from retailops.targets.aws.lake import AwsLake
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.session import Session

DATABASE = "retail_demo_dev"

pytestmark = pytest.mark.slow  # each asks many services of the emulator


@pytest.fixture
def lake(aws: Emulator, swift: Session) -> AwsLake:
    grounds.lay(aws)
    return opened(swift)


def opened(session: Session) -> AwsLake:
    mirror = Mirror(session)
    catalog = Catalog(session, mirror)
    return AwsLake(mirror, Athena(session, catalog, look_s=0.01), catalog)


@pytest.fixture
def built(aws: Emulator) -> Emulator:
    """What infra up builds for questions."""
    aws.client("glue").create_database(DatabaseInput={"Name": DATABASE})
    aws.client("athena").create_work_group(Name="retail-demo-dev", Configuration={})
    return aws


def published(lake: AwsLake, folder: Path, rows: list[dict[str, str]], key: str) -> Dataset:
    """A dataset as an ETL job leaves it, published."""
    made = etl.run(write(folder / f"{key}.csv", rows), folder / key, etl.EtlOptions(), Silent())
    mirror = lake._mirror
    for zone in ("silver", "gold"):
        place = mirror.folder(zone, "jobs", f"etl-{key}")
        place.parent.mkdir(parents=True, exist_ok=True)
        (made.folder / zone).rename(place)
        mirror.push(place)
    output = mirror.folder("models", "jobs", f"etl-{key}", "output")
    files.write_json(_made(output) / "manifest.json", made.manifest)
    return lake.publish(output)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def test_a_question_is_answered_from_the_newest_dataset_with_its_scan_and_price(
    lake: AwsLake, built: Emulator, tmp_path: Path, swift: Session
) -> None:
    first = published(lake, tmp_path, weeks(), "one")
    rows = [*weeks(), row(700, 1, STORE_REGION="Île / x", BASKET_TYPE="Full Shop", SPEND="0.29")]
    with recorded(built) as actions:
        second = published(lake, tmp_path, rows, "two")
        sql = "SELECT store_region, basket_type, count(*) n, sum(spend_pence) s FROM silver GROUP BY 1, 2 ORDER BY 1"
        told = lake.ask(sql, 100, Silent())
    assert told.columns == ("store_region", "basket_type", "n", "s") and not told.cut
    assert [each[:3] for each in told.rows[:3]] == [(f"E0{n}", "Top Up", 24) for n in (1, 2, 3)]
    assert told.rows[3] == ("Île %2F x", "Full Shop", 1, 29)  # the folder's name, where it isn't plain
    assert told.dataset == second.version != first.version
    assert told.scanned_bytes and told.usd == 0.00005, "ten megabytes at least, at $5 a TB"
    labels = lake.ask("SELECT label, count(*) n, max(cust_code) c FROM gold GROUP BY label", 1, Silent())
    assert labels.rows == (("MM", 19, "CUST0000000042"),)
    lake.publish(lake._mirror.folder("gold", "datasets", first.version))
    assert lake.ask("SELECT count(*) FROM silver", 1, Silent()).rows == ((72,),), "published last is the newest"
    allowed = {a for right in permissions.rights(swift.names, swift.settings) for a in right.actions}
    assert not actions - allowed


def test_rows_are_bounded_and_nulls_are_told_apart(lake: AwsLake, built: Emulator, tmp_path: Path) -> None:
    published(lake, tmp_path, [*weeks(), row(700, 1, CUST_CODE="")], "one")
    told = lake.ask("SELECT basket_id, cust_code FROM gold ORDER BY 2 NULLS FIRST, 1", 2, Silent())
    assert told.cut and told.rows == ((994100000000700, None), (994100000000000, "CUST0000000042"))


def test_what_goes_wrong_with_a_question_is_told_in_words(lake: AwsLake, built: Emulator, tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="no dataset"):
        lake.ask("SELECT 1", 1, Silent())
    published(lake, tmp_path, weeks(), "one")
    for sql in (
        "DROP TABLE gold",
        "INSERT INTO gold VALUES (1)",
        "CREATE TABLE x AS SELECT 1",
        "UNLOAD (SELECT 1) TO 's3://x'",
    ):
        with pytest.raises(UsageError, match="one SELECT"):
            lake.ask(sql, 1, Silent())
    with pytest.raises(UsageError, match="nope"):
        lake.ask("-- a comment\nSELECT nope FROM gold", 1, Silent())

    def too_much(request: Request) -> Response | None:
        if not request.target.endswith(".GetQueryExecution"):
            return None
        says = "Query cancelled! : Bytes scanned limit was exceeded"
        told = {"QueryExecutionId": "q", "Status": {"State": "CANCELLED", "StateChangeReason": says}}
        return Response(json.dumps({"QueryExecution": told}).encode())

    built.answer(too_much)
    with pytest.raises(UsageError, match="more than 10 GB") as caught:
        lake.ask("SELECT * FROM gold", 1, Silent())
    assert "aws.query_limit_gb" in caught.value.fix


def test_without_a_database_a_dataset_is_published_all_the_same(lake: AwsLake, tmp_path: Path) -> None:
    assert published(lake, tmp_path, weeks(), "one").rows["silver"] == 72
