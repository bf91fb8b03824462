"""The whole life on the real rows."""

from __future__ import annotations

import pytest

from retailops.lifecycle import monitor, predict, run
from retailops.progress import Silent
from retailops.retail.algorithms import NAMES

pytestmark = [pytest.mark.slow, pytest.mark.real]
QUIET = Silent()


def test_real_weeks_pass_every_gate_by_far_with_each_algorithm(open_project, real_csv_folder, tmp_path):
    target = open_project({"data.input": str(real_csv_folder), "train.algorithms": ",".join(NAMES)})
    done = run.run(target, QUIET)
    assert done.failed is None
    assert all(gate["ok"] for gate in done.result["gates"])
    rows = done.result["etl"]["rows"]
    assert rows["raw"] == rows["silver"] + rows["quarantined"] + rows["duplicates"]
    # Nothing of the published files breaks the contract, refunds included.
    assert rows["quarantined"] == rows["duplicates"] == 0
    for name, card in done.result["train"]["scorecards"].items():
        assert card["accuracy"] >= 0.995, name
        assert card["macro_f1"] >= 0.995, name
        assert min(card["precision"].values()) >= 0.995, name
        assert card["pricing_error_change"] < -0.99, name
    assert done.result["train"]["baselines"]["seed_features"]["accuracy"] < 0.65
    week = max(real_csv_folder.glob("transactions_*.csv"))
    scored = predict.predict(target, week, tmp_path / "week.csv", None, QUIET)
    assert scored.result["coverage"] > 0.98
    assert monitor.monitor(target, None, None, QUIET).failed is None
