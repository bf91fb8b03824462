"""SageMaker Feature Store under bad luck: throttled, refused, killed anywhere, two at once, read while it changes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pytest
from botocore.config import Config as ClientConfig
from moto.sagemaker.models import sagemaker_backends
from tests.targets.feature_records import CUSTOMER, day, expected, visits, write

from emulator import Emulator, Request, Response, feature_records, grounds
from emulator.recording import recorded
from retailops.config import Config
from retailops.errors import NotReady, TargetFailed
from retailops.ports import Record
from retailops.progress import Silent
from retailops.targets.aws import permissions
from retailops.targets.aws.features import AwsFeatures
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.session import Session

GROUP = "retail-demo-dev-customer"
THROTTLED = Response(b'{"Message": "Rate exceeded"}', 400, {"x-amzn-ErrorType": "ThrottlingException"})
Publish = Callable[..., Any]


@pytest.fixture
def store(swift: Session, aws: Emulator, loaded: boto3.Session) -> AwsFeatures:
    """The store, without pauses, and without the SDK's own tries."""
    grounds.lay(aws)
    grounds.store(aws)
    made = AwsFeatures(swift, Mirror(swift), 1, 300)
    once = ClientConfig(retries={"total_max_attempts": 1})
    made._online.__dict__["_runtime"] = loaded.client("sagemaker-featurestore-runtime", config=once)
    made._online.pauses = (0.0,) * 5
    return made


@pytest.fixture
def publish(store: AwsFeatures, tmp_path: Path) -> Publish:
    """Publish planted visits as a version of the customers."""

    def published(version: str, rows: list[Any]) -> Any:
        path = write(tmp_path / f"{version}.parquet", CUSTOMER, rows)
        return store.publish(CUSTOMER, version, path, Silent())

    return published


def online(aws: Emulator) -> dict[str, Any]:
    return feature_records.records(sagemaker_backends[aws.account][aws.region], GROUP)


def is_put(request: Request) -> bool:
    return request.method == "PUT" and request.path.startswith("/FeatureGroup/")


def objects(aws: Emulator, prefix: str = "features/") -> list[str]:
    told = aws.client("s3").list_objects_v2(Bucket=f"retail-demo-dev-gold-{aws.account}", Prefix=prefix)
    return [each["Key"] for each in told.get("Contents", [])]


@pytest.mark.slow
def test_history_lies_where_and_how_sagemaker_itself_would_put_it(
    store: AwsFeatures, publish: Publish, aws: Emulator, tmp_path: Path
) -> None:
    """A record that SageMaker writes offline is the pattern for ours: place, name, columns, types."""
    publish("v1", visits(2, 3))
    (ours,) = [key for key in objects(aws) if "day=28" in key]
    record = {"record_id": "x", "event_time": "2007-02-28T23:59:59Z", "version": "v", "cust_code": "x"}
    aws.client("sagemaker-featurestore-runtime").put_record(
        FeatureGroupName=GROUP,
        Record=[{"FeatureName": name, "ValueAsString": value} for name, value in record.items()],
    )
    (theirs,) = [key for key in objects(aws) if "day=28" in key and key != ours]
    pattern = (
        rf"features/{aws.account}/sagemaker/{aws.region}/offline-store/{GROUP}-\d+/data"
        r"/year=2007/month=02/day=28/hour=23/20070228T235959Z_[0-9a-z]{16}\.parquet"
    )
    assert re.fullmatch(pattern, ours) and re.fullmatch(pattern, theirs)
    columns = []
    for key in (ours, theirs):
        path = tmp_path / "one.parquet"
        aws.client("s3").download_file(f"retail-demo-dev-gold-{aws.account}", key, str(path))
        columns.append([(name, type_[:9]) for name, type_, *_ in duckdb.sql(f"DESCRIBE FROM '{path}'").fetchall()])
    assert columns[0] == columns[1]
    found = store.before(CUSTOMER, [("x", day(9)), ("CUST0000000001", day(9))])
    assert [each and each.features["baskets"] for each in found] == [None, 3], "what others put isn't of our version"


@pytest.mark.slow
def test_only_the_live_edition_stays_online(publish: Publish, aws: Emulator) -> None:
    publish("v1", visits(3, 1))
    first = set(online(aws))
    publish("v2", visits(2, 2))
    assert len(first) == 3 and len(online(aws)) == 2
    assert not first & set(online(aws))


@pytest.mark.slow
def test_another_machine_publishes_nothing_again_and_reads_all(
    store: AwsFeatures, publish: Publish, aws: Emulator, configured: Callable[[str], Config], loaded: boto3.Session
) -> None:
    first = publish("v1", visits(2, 2))
    other = Session(configured("aws: {folder: elsewhere}\n"))
    other.__dict__["_boto"] = loaded
    there = AwsFeatures(other, Mirror(other), 1, 300)
    sent: list[str] = []
    aws.answer(lambda request: sent.append(request.path) if request.method == "PUT" else None)
    assert there.publish(CUSTOMER, "v1", Path("not needed"), Silent()).version == first.version
    row = visits(2, 2)[2]
    assert there.online(CUSTOMER, [row[0]]) == {row[0]: Record(row[0], day(1), expected(row))}
    assert there.before(CUSTOMER, [(row[0], day(1))]) == store.before(CUSTOMER, [(row[0], day(1))]) != [None]
    assert sent == []


def test_throttled_records_are_put_again_until_all_are_there(
    store: AwsFeatures, publish: Publish, aws: Emulator
) -> None:
    asked: dict[bytes, int] = {}

    def busy(request: Request) -> Response | None:
        if is_put(request):
            asked[request.body] = asked.get(request.body, 0) + 1
            return THROTTLED if asked[request.body] < 3 else None
        return None

    aws.answer(busy)
    done = publish("v1", visits(20, 1))
    assert (done.records, done.written, done.keys) == (20, 20, 20)
    assert set(asked.values()) == {3}
    assert len(online(aws)) == 20


@pytest.mark.slow
def test_a_store_that_stays_busy_is_told_and_the_old_version_stays(
    store: AwsFeatures, publish: Publish, aws: Emulator
) -> None:
    publish("v1", visits(3, 1))
    puts: list[bytes] = []

    def busy(request: Request) -> Response | None:
        if is_put(request):
            puts.append(request.body)
            return THROTTLED if len(puts) > 2 else None
        return None

    aws.answer(busy)
    with pytest.raises(TargetFailed, match=r"keeps refusing: 2 calls aren't put.*Rate exceeded"):
        publish("v2", visits(4, 2))
    assert len(puts) == 4 + 5 * 2, "five more rounds, of what is left alone"
    assert [each.version for each in store.published()] == ["v1"]
    aws.hooks.remove(busy)
    done = publish("v2", visits(4, 2))
    assert (done.version, done.keys, len(online(aws))) == ("v2", 4, 4)


def test_a_record_that_is_refused_for_good_stops_the_publication(
    store: AwsFeatures, publish: Publish, aws: Emulator
) -> None:
    publish("v1", visits(3, 1))
    refused: list[bytes] = []

    def never(request: Request) -> Response | None:
        if is_put(request) and b"CUST0000000002" in request.body:
            refused.append(request.body)
            return Response(b'{"Message": "too long"}', 400, {"x-amzn-ErrorType": "ValidationError"})
        return None

    aws.answer(never)
    with pytest.raises(TargetFailed, match="ValidationError: too long"):
        publish("v2", visits(3, 2))
    assert len(refused) == 1
    assert [each.version for each in store.published()] == ["v1"]
    assert {record.features["baskets"] for record in store.online(CUSTOMER, ["CUST0000000001"]).values()} == {1}


def test_a_count_that_does_not_reconcile_publishes_nothing(store: AwsFeatures, publish: Publish, aws: Emulator) -> None:
    aws.answer(lambda request: Response(b"{}") if is_put(request) and b"CUST0000000001" in request.body else None)
    with pytest.raises(TargetFailed, match="2 records of customer are online, but 3 keys were written"):
        publish("v1", visits(3, 1))
    assert store.published() == []


@pytest.mark.slow
def test_what_a_batch_leaves_out_is_asked_again(store: AwsFeatures, publish: Publish, aws: Emulator) -> None:
    publish("v1", visits(2, 1))
    asked: list[Any] = []

    def half(request: Request) -> Response | None:
        if request.path == "/BatchGetRecord":
            asked.append(json.loads(request.body)["Identifiers"])
            if len(asked) == 1:
                left = {"Records": [], "Errors": [], "UnprocessedIdentifiers": asked[0]}
                return Response(json.dumps(left).encode())
        return None

    aws.answer(half)
    assert len(store.online(CUSTOMER, [row[0] for row in visits(2, 1)])) == 2
    assert len(asked) == 2


@pytest.mark.slow
def test_of_two_that_publish_at_once_one_says_so(
    store: AwsFeatures, publish: Publish, aws: Emulator, configured: Callable[[str], Config], tmp_path: Path
) -> None:
    other = AwsFeatures(*_elsewhere(configured, store), 1, 300)
    path = write(tmp_path / "theirs.parquet", CUSTOMER, visits(2, 2))
    began: list[Request] = []

    def meanwhile(request: Request) -> None:
        if is_put(request) and not began:
            began.append(request)
            thread = threading.Thread(target=lambda: other.publish(CUSTOMER, "v2", path, Silent()))
            thread.start()
            thread.join(30)

    aws.answer(meanwhile)
    with pytest.raises(NotReady, match="Another command publishes the customer features"):
        publish("v1", visits(3, 1))
    assert [each.version for each in store.published()] == ["v2"]
    assert publish("v1", visits(3, 1)).keys == 3
    assert len(online(aws)) == 3


@pytest.mark.slow
def test_a_reader_whose_version_goes_away_reads_the_new_one_whole(
    store: AwsFeatures, publish: Publish, aws: Emulator, configured: Callable[[str], Config], tmp_path: Path
) -> None:
    publish("v1", visits(3, 1))
    other = AwsFeatures(*_elsewhere(configured, store), 1, 300)
    path = write(tmp_path / "theirs.parquet", CUSTOMER, visits(3, 2))
    began: list[Request] = []

    def meanwhile(request: Request) -> None:
        if request.path == "/BatchGetRecord" and not began:
            began.append(request)
            thread = threading.Thread(target=lambda: other.publish(CUSTOMER, "v2", path, Silent()))
            thread.start()
            thread.join(30)

    aws.answer(meanwhile)
    found = store.online(CUSTOMER, [row[0] for row in visits(3, 1)])
    assert [record.features["baskets"] for record in found.values()] == [2, 2, 2]


def _elsewhere(configured: Callable[[str], Config], store: AwsFeatures) -> tuple[Session, Mirror]:
    """The same account, from another machine."""
    session = Session(configured("aws: {folder: elsewhere}\n"))
    session.__dict__["_boto"] = store._online._session._boto
    return session, Mirror(session)


@pytest.mark.slow
def test_without_its_group_the_store_says_what_is_missing(store: AwsFeatures, publish: Publish, aws: Emulator) -> None:
    aws.client("sagemaker").delete_feature_group(FeatureGroupName=GROUP)
    with pytest.raises(NotReady, match=f"no feature group {GROUP}") as told:
        publish("v1", visits(1, 1))
    assert told.value.fix == "Build it first: retailops infra up"


@pytest.mark.slow
def test_a_group_that_was_made_anew_has_nothing_until_it_is_published_again(
    publish: Publish, aws: Emulator, configured: Callable[[str], Config], store: AwsFeatures
) -> None:
    publish("v1", visits(2, 1))
    aws.client("sagemaker").delete_feature_group(FeatureGroupName=GROUP)
    for name in ("product", "store"):
        aws.client("sagemaker").delete_feature_group(FeatureGroupName=f"retail-demo-dev-{name}")
    later = AwsFeatures(*_elsewhere(configured, store), 1, 300)
    assert later.published() == []
    grounds.store(aws)
    group = feature_records._group(sagemaker_backends[aws.account][aws.region], GROUP)
    place = group.offline_store_config["S3StorageConfig"]  # named after the second in which it was made
    place["ResolvedOutputS3Uri"] = place["ResolvedOutputS3Uri"].replace("-customer-", "-customer-9")
    later = AwsFeatures(*_elsewhere(configured, store), 1, 300)
    assert later.published() == []
    with pytest.raises(NotReady, match="no customer features"):
        later.online(CUSTOMER, ["CUST0000000001"])


@pytest.mark.slow
def test_publishing_and_reading_ask_for_no_right_that_is_not_in_the_table(
    store: AwsFeatures, publish: Publish, swift: Session, aws: Emulator
) -> None:
    with recorded(aws) as actions:
        publish("v1", visits(2, 1))
        publish("v2", visits(2, 1))
        store.online(CUSTOMER, ["CUST0000000001"])
        store.before(CUSTOMER, [("CUST0000000001", day(1))])
    allowed = {action for right in permissions.rights(swift.names, swift.settings) for action in right.actions}
    assert actions <= allowed
    assert {"sagemaker:PutRecord", "sagemaker:BatchGetRecord", "sagemaker:DeleteRecord"} <= actions


CHILD = """
import sys
from pathlib import Path
from tests.targets.conftest import load
from tests.targets.feature_records import CUSTOMER
from retailops import targets
from retailops.progress import Silent
folder, version, path = sys.argv[1:]
target = targets.open_target(load(Path(folder), "target: aws"))
target.features.publish(CUSTOMER, version, Path(path), Silent())
"""

# The request before which the command dies, and how many of its kind get through.
DEATHS: dict[str, tuple[Callable[[Request], bool], int]] = {
    "history on its way": (lambda request: request.method == "PUT" and "/features/" in request.path, 1),
    "history there, not yet complete": (lambda request: request.path.endswith("/publication.json"), 0),
    "some records online": (is_put, 3),
    "all online, not yet live": (lambda request: request.method == "PUT" and request.path.endswith("live.json"), 1),
    "live, the old ones not yet gone": (lambda request: request.method == "DELETE", 1),
}


@pytest.mark.slow
@pytest.mark.parametrize("point", DEATHS)
def test_killed_anywhere_the_old_version_stays_and_another_run_makes_the_new_one_whole(
    point: str, store: AwsFeatures, publish: Publish, aws: Emulator, project: Path, tmp_path: Path
) -> None:
    publish("v1", visits(3, 1))
    path = write(tmp_path / "v2.parquet", CUSTOMER, visits(5, 3))
    matches, spared = DEATHS[point]
    matched: list[Request] = []
    lock = threading.Lock()

    def kill(request: Request) -> Response | None:
        with lock:
            if not matches(request):
                return None
            matched.append(request)
            if len(matched) <= spared:
                return None
            process.kill()
            return Response(status=500)

    aws.answer(kill)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(["tests", "."])}
    root = Path(__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(project), "v2", str(path)], cwd=root, env=environment, stderr=subprocess.PIPE
    )
    _, told = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, told.decode()
    aws.hooks.remove(kill)
    keys = [row[0] for row in visits(5, 1)]
    found = store.online(CUSTOMER, keys)
    live = ("v2", 5) if point.startswith("live") else ("v1", 3)
    assert ([each.version for each in store.published()], len(found)) == ([live[0]], live[1])
    assert {record.features["baskets"] for record in found.values()} == {3 if live[0] == "v2" else 1}
    again = store.publish(CUSTOMER, "v2", path, Silent())
    assert (again.records, again.written, again.keys) == (15, 15, 5)
    assert len(store.online(CUSTOMER, keys)) == 5
    assert [each and each.features["baskets"] for each in store.before(CUSTOMER, [(keys[4], day(2))])] == [2]
    publish("v3", visits(1, 1))
    assert len(online(aws)) == 1, "whatever was left behind is gone with the next publication"
