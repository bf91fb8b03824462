"""A person's word on a version, and what deploy makes of it."""

from __future__ import annotations

import getpass

import pytest

from retailops.errors import GateFailed, UsageError
from retailops.lifecycle import approval, deploy, models, run
from retailops.lifecycle.approval import refusal
from retailops.ports import Approval, ModelVersion, Run
from retailops.progress import Silent

QUIET = Silent()


def version(status: str) -> ModelVersion:
    made = Run("r", "xgboost", "d", None, "h", "2026-01-02T03:04:05+00:00", {}, {})  # type: ignore[arg-type]
    return ModelVersion(3, made, Approval(status, "ann", "2026-01-02T03:04:05+00:00", "too few weeks"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "required", "may"),
    [
        ("pending", False, True),
        ("pending", True, False),
        ("approved", False, True),
        ("approved", True, True),
        ("rejected", False, False),
        ("rejected", True, False),
    ],
)
def test_who_may_go_live(status, required, may):
    found = refusal(version(status), required)
    assert (found is None) == may
    if found:
        assert found.code == 4 and "Version 3" in found.what and "retailops models approve 3" in found.fix


def test_a_rejection_says_by_whom_when_and_why():
    found = refusal(version("rejected"), required=False)
    assert found is not None
    assert found.what == "Version 3 was rejected by ann on 2026-01-02: too few weeks."


@pytest.mark.slow
def test_a_version_that_needs_approval_is_deployed_once_it_has_it(open_project):
    target = open_project({"gates.approval": "required", "features.sweeps": "3", "features.folds": "2"})
    stopped = run.run(target, QUIET)
    assert isinstance(stopped.failed, GateFailed) and "isn't approved" in stopped.failed.what
    assert [row["stage"] for row in stopped.result["stages"] if not row["ok"]] == ["deploy"]
    assert target.serving.endpoint() is None
    decided = approval.decide(target, 1, "approved", "").result
    assert (decided["approval"], decided["decided_by"], decided["live"]) == ("approved", getpass.getuser(), False)
    assert run.run(target, QUIET).failed is None
    rejected = approval.decide(target, 1, "rejected", "wrong weeks").result
    assert rejected["live"], "what serves goes on serving"
    refused = deploy.deploy(target, 1, QUIET)
    assert isinstance(refused.failed, GateFailed) and "wrong weeks" in refused.failed.what
    assert target.serving.endpoint().version == 1
    (listed,) = models.versions(target).result["models"]
    assert (listed["approval"], listed["reason"], listed["live"]) == ("rejected", "wrong weeks", True)
    owned = open_project({"project.owner": "Team Price"})
    assert approval.decide(owned, 1, "approved", "seen").result["decided_by"] == "Team Price"
    with pytest.raises(UsageError, match="no version 7"):
        approval.decide(owned, 7, "approved", "")
