"""What features ingest and register bring into the feature store, and how a person looks at it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import duckdb
import pytest

from retailops.errors import NotReady, UsageError
from retailops.lifecycle import etl, features, register, status, train
from retailops.ports import Features, Target
from retailops.progress import Silent
from retailops.retail.feature_groups import GROUPS
from retailops.targets.aws import NotYet

QUIET = Silent()


class Notes(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


@pytest.mark.slow
def test_ingest_publishes_stores_and_customers_and_register_products(open_project) -> None:
    target: Target = open_project()
    with pytest.raises(NotReady, match="no labelled dataset"):
        features.ingest(target, QUIET)
    made = etl.etl(target, None, QUIET)
    assert features.groups(target).result["groups"][1]["live"] is None, "the ETL's time is the ETL's alone"
    done = features.ingest(target, QUIET)
    assert list(done.result["features"]) == ["store", "customer"]
    for counts in done.result["features"].values():
        assert counts["version"] == made.result["dataset"]
        assert counts["records"] == counts["written"] + sum(counts["rejected"].values()) > 0
        assert counts["rejected"] == {}
    again = features.ingest(target, QUIET)
    assert again.result == {**done.result, "features": again.result["features"], "reused": True}
    assert again.result["features"] == dict(sorted(done.result["features"].items()))
    with pytest.raises(NotReady):
        features.show(target, "product", "PRD0900001", None)

    train.train(target, None, QUIET)
    assert "product" not in status.status(target).result["features"], "what no gate has passed isn't published"
    registered = register.register(target, None, QUIET)
    product = registered.result["features"]["product"]
    assert product["version"] == registered.result["bundle"][:16]
    assert not list(target.lake.scratch().glob("*.parquet"))
    told = status.status(target).result["features"]
    assert told == done.result["features"] | {"product": product}
    everything = features.ingest(target, QUIET)
    assert everything.result["features"] == told and everything.result["reused"]
    assert register.register(target, None, QUIET).result == registered.result


@pytest.mark.slow
def test_a_basket_s_history_is_of_earlier_days_alone(open_project) -> None:
    """Every basket asks for its customer at its own hour, and gets the count of the days before it."""
    target: Target = open_project()
    etl.etl(target, None, QUIET)
    features.ingest(target, QUIET)
    (dataset,) = target.lake.datasets()
    rows = duckdb.sql(
        f"SELECT cust_code, shop_date, shop_hour, "
        f"coalesce(count(*) OVER (PARTITION BY cust_code ORDER BY shop_date RANGE BETWEEN UNBOUNDED PRECEDING "
        f"AND INTERVAL 1 DAY PRECEDING), 0) FROM '{dataset.gold}/*.parquet' WHERE cust_code IS NOT NULL"
    ).fetchall()
    wanted = [
        (customer, datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour))
        for customer, day, hour, _ in rows
    ]
    found = target.features.before(GROUPS["customer"], wanted)
    assert [each.features["baskets"] if each else 0 for each in found] == [row[-1] for row in rows]
    assert len({row[-1] for row in rows}) > 5


@pytest.mark.slow
def test_a_person_can_look_at_one_record(open_project) -> None:
    target: Target = open_project()
    assert [row["live"] for row in features.groups(target).result["groups"]] == [None, None, None]
    etl.etl(target, None, QUIET)
    features.ingest(target, QUIET)
    live = {row["group"]: row["live"] for row in features.groups(target).result["groups"]}
    assert live["product"] is None and live["store"]["keys"] > 100
    (dataset,) = target.lake.datasets()
    ((key, day),) = duckdb.sql(
        f"SELECT cust_code, min(shop_date) FROM '{dataset.gold}/*.parquet' WHERE cust_code IS NOT NULL "
        "GROUP BY 1 ORDER BY 1 LIMIT 1"
    ).fetchall()
    first = datetime.combine(day, time(23, 59, 59), UTC)
    newest = features.show(target, "customer", key, None).result
    assert set(newest["features"]) == {"baskets", "lifestage", "spend_pence"}
    next_day = (first.date() + timedelta(days=1)).isoformat()
    early = features.show(target, "customer", key, next_day).result
    assert early["event_time"] == first.isoformat()
    assert early["before"] == f"{next_day}T00:00:00+00:00"
    with pytest.raises(UsageError, match="knows no customer"):
        features.show(target, "customer", key, first.date().isoformat())
    with pytest.raises(UsageError, match="no store 'STORE0'"):
        features.show(target, "store", "STORE0", None)
    with pytest.raises(UsageError, match="no feature group 'shop'"):
        features.show(target, "shop", "STORE0", None)
    with pytest.raises(UsageError, match="isn't a moment"):
        features.show(target, "store", "STORE0", "yesterday")


def test_a_target_without_a_feature_store_says_so_and_goes_on(open_project, small_dataset) -> None:
    store: Features = NotYet("feature store")  # type: ignore[assignment]
    target = replace(open_project(), features=store)
    notes = Notes()
    assert features.publish_dataset(target, small_dataset, notes) == []
    assert notes.lines == ["No features are published: This version of retailops has no feature store on aws."]
