"""The feature store with the real rows: what a basket is told of its customer is what pandas counts before its day."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

import pytest

from retailops.progress import Silent
from retailops.retail import etl, records
from retailops.retail.feature_groups import GROUPS, OF_DATASETS
from retailops.targets.local.features import LocalFeatures
from retailops.targets.local.workspace import Workspace

pytestmark = [pytest.mark.real, pytest.mark.slow]


def test_every_real_basket_sees_the_days_before_its_own(
    real_csv_folder: Path, workspace: Workspace, tmp_path: Path
) -> None:
    import pandas as pd

    dataset = etl.run(real_csv_folder, tmp_path / "dataset", etl.EtlOptions(), Silent())
    counts = records.of_zones(dataset.folder, tmp_path, 2, 700)
    store = LocalFeatures(workspace, 2, 700)
    for group in OF_DATASETS:
        done = store.publish(group, dataset.version, tmp_path / f"{group.name}.parquet", Silent())
        assert done.records == done.written == counts[group.name]
        assert done.rejected == {}
    columns = ["cust_code", "shop_date", "shop_hour", "spend_pence"]
    gold = pd.read_parquet(dataset.gold, columns=columns).dropna(subset="cust_code").astype({"cust_code": object})
    gold["shop_date"] = pd.to_datetime(gold["shop_date"])
    days = gold.groupby(["cust_code", "shop_date"]).agg(baskets=("shop_hour", "size"), spend=("spend_pence", "sum"))
    earlier = days.groupby("cust_code").cumsum() - days
    wanted = gold.merge(earlier, left_on=["cust_code", "shop_date"], right_index=True)
    moments = (wanted["shop_date"] + pd.to_timedelta(wanted["shop_hour"], unit="h")).dt.tz_localize(UTC)
    pairs = list(zip(wanted["cust_code"], moments.dt.to_pydatetime(), strict=True))
    found = store.before(GROUPS["customer"], pairs)
    told = [(each.features["baskets"], each.features["spend_pence"]) if each else (0, 0) for each in found]
    assert told == list(zip(wanted["baskets"], wanted["spend"], strict=True))
    assert len(told) > 100_000
