"""What every target's Features promises: versions that are whole, the newest record online, and no look ahead."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from tests.targets.feature_records import CUSTOMER, PRODUCT, STORE, Row, day, expected, visits, write

from retailops.errors import NotReady, UsageError
from retailops.ports import Publication, Record, Target
from retailops.progress import Silent
from retailops.retail.feature_groups import Group


@pytest.fixture
def publish(target: Target, tmp_path: Path):
    """Publish planted rows as a version of a group."""

    def published(group: Group, version: str, rows: list[Row]) -> Publication:
        path = write(tmp_path / f"{group.name}-{version}.parquet", group, rows)
        return target.features.publish(group, version, path, Silent())

    return published


def test_nothing_is_published_at_first_and_reading_says_what_to_run(target: Target) -> None:
    assert target.features.published() == []
    with pytest.raises(NotReady, match="no customer features") as refused:
        target.features.online(CUSTOMER, ["C1"])
    assert refused.value.fix == "Run first: retailops features ingest"
    with pytest.raises(NotReady) as refused:
        target.features.before(PRODUCT, [("P1", day(1))])
    assert refused.value.fix == "Run first: retailops register"


def test_online_has_the_newest_record_of_each_key(target: Target, publish) -> None:
    rows = visits(customers=3, days=4)
    done = publish(CUSTOMER, "v1", random.Random(1).sample(rows, len(rows)))
    assert (done.records, done.written, done.keys, dict(done.rejected)) == (12, 12, 3, {})
    found = target.features.online(CUSTOMER, [rows[0][0], rows[1][0], "CUST-unknown"])
    assert found == {row[0]: Record(row[0], day(3), expected(row)) for row in rows[9:11]}
    assert target.features.online(CUSTOMER, []) == {}


def test_more_keys_than_one_call_takes_are_read_all_the_same(target: Target, publish) -> None:
    rows = visits(customers=601, days=1)
    publish(CUSTOMER, "v1", rows)
    assert len(target.features.online(CUSTOMER, [row[0] for row in rows])) == 601


def test_the_same_version_twice_is_done_once(target: Target, publish) -> None:
    first = publish(CUSTOMER, "v1", visits(2, 2))
    again = publish(CUSTOMER, "v1", visits(2, 2))
    assert not first.reused
    assert again == replace(first, reused=True)
    assert target.features.published() == [again]


def test_each_group_has_its_own_live_version(target: Target, publish) -> None:
    publish(CUSTOMER, "v1", visits(2, 2))
    publish(STORE, "s1", [("STORE1", day(0), "LS", "E01")])
    publish(CUSTOMER, "v2", visits(2, 3))
    assert [(each.group, each.version) for each in target.features.published()] == [("customer", "v2"), ("store", "s1")]


def test_a_newer_version_replaces_all_of_the_older_one_online(target: Target, publish) -> None:
    publish(CUSTOMER, "v1", visits(3, 1))
    publish(CUSTOMER, "v2", visits(2, 2))
    gone = visits(3, 1)[2][0]
    assert target.features.online(CUSTOMER, [gone]) == {}


def test_a_version_that_was_live_before_is_live_again(target: Target, publish) -> None:
    publish(CUSTOMER, "v1", visits(1, 1))
    publish(CUSTOMER, "v2", visits(1, 2))
    publish(CUSTOMER, "v1", visits(1, 1))
    (record,) = target.features.online(CUSTOMER, [visits(1, 1)[0][0]]).values()
    assert record.features["baskets"] == 1
    assert [each.version for each in target.features.published()] == ["v1"]


def test_history_of_a_version_that_is_not_live_stays_readable_by_its_name(target: Target, publish) -> None:
    publish(CUSTOMER, "v1", visits(1, 1, worth=100))
    publish(CUSTOMER, "v2", visits(1, 1, worth=999))
    wanted = [(visits(1, 1)[0][0], day(5))]
    assert [found.features["spend_pence"] for found in target.features.before(CUSTOMER, wanted) if found] == [999]
    assert [found.features["spend_pence"] for found in target.features.before(CUSTOMER, wanted, "v1") if found] == [100]
    with pytest.raises(NotReady, match="version v3"):
        target.features.before(CUSTOMER, wanted, "v3")


def test_history_gives_the_newest_record_strictly_before_the_moment(target: Target, publish) -> None:
    rows = visits(customers=1, days=3)
    key = rows[0][0]
    publish(CUSTOMER, "v1", rows)
    second = timedelta(seconds=1)
    wanted = [day(0) - second, day(0), day(0) + second, day(1), day(1) + second, day(2) + timedelta(days=900)]
    found = target.features.before(CUSTOMER, [(key, moment) for moment in wanted])
    assert [None if each is None else each.features["baskets"] for each in found] == [None, None, 1, 1, 2, 3]


def test_no_planted_future_leaks_into_history(target: Target, publish) -> None:
    """Every record carries the day that it was known on as its value: whatever is read must be of an earlier day."""
    draw = random.Random(7)
    rows = [
        (f"C{customer}", day(number), number, None, customer)
        for customer in range(20)
        for number in sorted(draw.sample(range(20), 6))
    ]
    publish(CUSTOMER, "v1", rows)
    wanted = [
        (f"C{draw.randrange(22)}", day(0) + timedelta(hours=draw.randrange(-30, 21 * 24), seconds=draw.randrange(2)))
        for _ in range(600)
    ]
    found = target.features.before(CUSTOMER, wanted)
    assert len(found) == 600
    for (key, moment), record in zip(wanted, found, strict=True):
        earlier = [row for row in rows if row[0] == key and row[1] < moment]
        assert (record.features["baskets"] if record else None) == (earlier[-1][2] if earlier else None)
    assert 50 < sum(record is None for record in found) < 500


def test_a_moment_of_another_time_zone_means_the_same_instant(target: Target, publish) -> None:
    rows = visits(1, 1)
    publish(CUSTOMER, "v1", rows)
    east = timezone(timedelta(hours=8))
    asked = [(rows[0][0], day(0).astimezone(east)), (rows[0][0], (day(0) + timedelta(seconds=1)).astimezone(east))]
    assert [each is None for each in target.features.before(CUSTOMER, asked)] == [True, False]
    with pytest.raises(UsageError, match="no time zone"):
        target.features.before(CUSTOMER, [(rows[0][0], day(0).replace(tzinfo=None))])


def test_what_is_not_taken_is_counted_with_its_reason(target: Target, publish) -> None:
    good = ("P1", day(0), "CL1", "DEP1", 0.5, 0.25, 0.25, 0.0)
    rows = [
        good,
        (*good[:4], 0.6, *good[5:]),  # the same key and time with other values: the first in order stays
        (None, *good[1:]),
        (" ", *good[1:]),
        ("P2", None, *good[2:]),
        ("P3", *good[1:4], float("nan"), *good[5:]),
        ("P4", *good[1:7], float("inf")),
        ("P5", *good[1:4], None, *good[5:]),  # unknown isn't wrong
    ]
    done = publish(PRODUCT, "v1", rows)
    assert done.rejected == {"no_event_time": 1, "no_key": 2, "not_a_number": 2, "repeated": 1}
    assert (done.records, done.written, done.keys) == (8, 2, 2)
    assert done.records == done.written + sum(done.rejected.values())
    found = target.features.online(PRODUCT, ["P1", "P2", "P3", "P5"])
    assert set(found) == {"P1", "P5"}
    assert found["P1"].features["leaning_la"] == 0.5
    assert found["P5"].features == dict(zip(PRODUCT.features, ("CL1", "DEP1", None, 0.25, 0.25, 0.0), strict=True))


def test_a_version_without_a_record_is_empty_and_not_missing(target: Target, publish) -> None:
    done = publish(CUSTOMER, "v1", [])
    assert (done.records, done.written, done.keys) == (0, 0, 0)
    assert target.features.online(CUSTOMER, ["C1"]) == {}
    assert target.features.before(CUSTOMER, [("C1", day(0))]) == [None]
    assert target.features.before(CUSTOMER, []) == []
