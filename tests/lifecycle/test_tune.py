"""tune and compare on real jobs: what is found becomes a run, what was killed goes on, what is no better is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from retailops.errors import NotReady, UsageError
from retailops.lifecycle import compare, etl, models, register, train, tune
from retailops.progress import Silent

pytestmark = pytest.mark.slow
QUIET = Silent()
# A stump with two sweeps of leanings: quick, and far below what a deeper tree reaches.
STUMP = {"features.sweeps": "3", "features.folds": "2", "train.params": '{"decision_tree": {"max_depth": 1}}'}


def test_what_tuning_finds_is_trained_and_says_what_found_it(open_project):
    target = open_project(STUMP)
    etl.etl(target, None, QUIET)
    train.train(target, None, QUIET)
    done = tune.tune(target, "decision_tree", 6, QUIET).result
    assert done["improved"] and not done["reused"]
    assert [trial["trial"] for trial in done["trials"]] == list(range(6))
    by_hand, tuned = target.models.runs()
    assert (by_hand.tuned_by, tuned.tuned_by) == ("", done["study"])
    assert (tuned.id, tuned.scorecard["macro_f1"]) == (done["run"], done["scorecard"]["macro_f1"])
    assert tuned.parameters == {**by_hand.parameters, **done["tuned"]}
    assert tuned.scorecard["macro_f1"] > by_hand.scorecard["macro_f1"] + 0.05
    assert "<svg" in Path(done["report"]).read_text()
    again = tune.tune(target, "decision_tree", 6, QUIET).result
    assert again["reused"] and again["run"] == done["run"]
    assert register.register(target, None, QUIET).result["tuned_by"] == done["study"]
    side_by_side = compare.compare(target, []).result
    assert [row["tuned_by"] for row in side_by_side["runs"]] == [None, done["study"]]
    assert [row["version"] for row in side_by_side["runs"]] == [None, 1]
    assert "max_depth" in side_by_side["differ"] and "ccp_alpha" not in side_by_side["differ"]
    assert side_by_side["same_data"]
    assert models.show(target, 1).result["tuned_by"] == done["study"]


def test_parameters_that_are_as_good_already_are_kept(open_project):
    target = open_project({"features.sweeps": "3", "features.folds": "2"})
    etl.etl(target, None, QUIET)
    trained = train.train(target, ["decision_tree"], QUIET).result
    done = tune.tune(target, "decision_tree", 3, QUIET).result
    assert not done["improved"] and done["tuned"] == {}
    assert done["run"] == trained["runs"]["decision_tree"]
    (run,) = target.models.runs()
    assert run.tuned_by == ""


def test_what_is_missing_is_said_before_any_work(open_project):
    target = open_project()
    with pytest.raises(NotReady, match="no labelled dataset"):
        tune.tune(target, "decision_tree", None, QUIET)
    with pytest.raises(NotReady, match="no run"):
        compare.compare(target, [])
    with pytest.raises(UsageError, match="no algorithm"):
        tune.tune(target, "neural_net", None, QUIET)


def test_a_tuning_that_is_killed_goes_on_from_the_trials_it_had(open_project, tmp_path):
    target = open_project({})
    etl.etl(target, None, QUIET)
    file = tmp_path / "retail.yaml"
    file.write_text(file.read_text() + "features: {sweeps: 3, folds: 2}\ntune: {patience: 30}\n")
    words = ["tune", "--algo", "decision_tree", "--trials", "30", "--json", "--quiet", "--config", str(file)]
    process = subprocess.Popen([sys.executable, "-m", "retailops", *words], stdout=subprocess.DEVNULL)
    jobs = tmp_path / ".retailops" / "jobs"
    deadline = time.monotonic() + 120
    while not (begun := [path for path in jobs.glob("tune-*/checkpoint/trials.log") if "scores" in path.read_text()]):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    (journal,) = begun
    assert (learned := journal.with_name("learned.checkpoint")).is_file()
    before = journal.read_bytes()
    done = json.loads(subprocess.run([sys.executable, "-m", "retailops", *words], capture_output=True).stdout)["result"]
    assert journal.read_bytes().startswith(before[: before.rfind(b"\n") + 1]), "the trials it had are still there"
    assert len(done["trials"]) == 30 and not learned.exists()
    (folder,) = jobs.glob("tune-*")
    (folder / "output" / "result.json").unlink()
    journal.unlink()  # and now once more without a break
    whole = json.loads(subprocess.run([sys.executable, "-m", "retailops", *words], capture_output=True).stdout)[
        "result"
    ]
    for found in (done, whole):
        for trial in found["trials"]:
            trial.pop("seconds")
    assert whole["trials"] == done["trials"]
