"""The workspace: whose it is, what may never be deleted, and that nothing is left."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from retailops import config, targets
from retailops.errors import ConfigError, TargetFailed
from retailops.ports import Target
from retailops.progress import Silent
from retailops.targets.local.workspace import FOLDERS, Workspace

COMMAND = Path(__file__).with_name("retailops_toy_command.py")


@pytest.fixture
def target(project: Path) -> Target:
    """The local one alone: what other targets make is theirs to test."""
    (project / "retail.yaml").write_text("version: 1\n")
    return targets.open_target(
        config.load(project / "retail.yaml", targets=targets.settings(), algorithms=["xgboost"], environ={})
    )


@pytest.fixture
def command(workspace: Workspace) -> Iterator[subprocess.Popen[str]]:
    """A command whose job is running."""
    arguments = [sys.executable, str(COMMAND), str(workspace.folder), "k1", "wait"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("pid ")
        yield process
        process.kill()


def test_up_makes_every_folder_and_keeps_it_out_of_git(target: Target, workspace: Workspace) -> None:
    target.infra.apply(Silent())
    for name in FOLDERS:
        assert (workspace.folder / name).is_dir()
    assert "*" in (workspace.folder / ".gitignore").read_text().splitlines()


def test_the_user_s_files_survive_teardown(target: Target, tmp_path: Path) -> None:
    rows = tmp_path / "mine" / "transactions.csv"
    rows.parent.mkdir()
    rows.write_text("SHOP_WEEK\n")
    target.infra.apply(Silent())
    folder = Path(target.infra.removals()[-1].name)
    raw = folder / "lake" / "raw" / "abc"
    raw.mkdir()
    (raw / "transactions.csv").symlink_to(rows)
    (raw / "all").symlink_to(rows.parent, target_is_directory=True)
    target.infra.remove(Silent())
    assert not folder.exists()
    assert rows.read_text() == "SHOP_WEEK\n"


def test_removals_tell_sizes_without_what_links_point_to(target: Target, tmp_path: Path, workspace: Workspace) -> None:
    target.infra.apply(Silent())
    big = tmp_path / "big.csv"
    big.write_bytes(b"x" * 5_000_000)
    (workspace.folder / "lake" / "raw" / "link").symlink_to(big)
    (workspace.folder / "models" / "model").write_bytes(b"x" * 3_000_000)
    details = {Path(change.name).name: change.detail for change in target.infra.removals()}
    assert details["models"] == "3 MB"
    assert "MB" not in details["lake"]


def test_teardown_ends_running_jobs_and_the_commands_that_wait_for_them(
    target: Target, workspace: Workspace, command: subprocess.Popen[str]
) -> None:
    running = [change for change in target.infra.removals() if change.kind == "process"]
    assert f"process {command.pid}" in [change.detail for change in running]
    assert {change.name for change in running} == {"job train-k1", "retailops_toy_command.py .retailops"}
    assert len(running) == len({change.detail for change in running}) == 2
    family = [process.pid for process in psutil.Process(command.pid).children(recursive=True)]
    assert len(family) == 1
    assert len([change for change in target.infra.left() if change.kind == "process"]) == 2
    target.infra.remove(Silent())
    command.wait(10)
    assert not psutil.pid_exists(family[0])
    assert target.infra.left() == []


def test_the_audit_sees_a_process_that_no_record_names(
    target: Target, workspace: Workspace, command: subprocess.Popen[str]
) -> None:
    (workspace.folder / "jobs" / "train-k1" / "process.json").unlink()
    assert len([change for change in target.infra.left() if change.kind == "process"]) == 2


def test_a_removal_cut_short_goes_on(target: Target, workspace: Workspace) -> None:
    target.infra.apply(Silent())
    files_of = workspace.folder / "models"
    locked = files_of / "locked"
    locked.mkdir()
    if os.geteuid() != 0:
        (locked / "file").touch()
        locked.chmod(0o500)
        with pytest.raises(TargetFailed, match="locked"):
            target.infra.remove(Silent())
        assert (workspace.folder / "workspace.json").exists(), "the marker goes last"
        locked.chmod(0o700)
    target.infra.remove(Silent())
    assert target.infra.left() == []


def test_an_empty_folder_without_a_marker_is_the_last_step_of_a_removal(target: Target, workspace: Workspace) -> None:
    workspace.folder.mkdir()
    assert [change.name for change in target.infra.removals()] == [str(workspace.folder)]
    target.infra.remove(Silent())
    assert not workspace.folder.exists()


def test_a_claim_cut_short_goes_on(workspace: Workspace) -> None:
    workspace.folder.mkdir()
    (workspace.folder / ".workspace.0123abcd.tmp.json").write_text("{")
    workspace.claim()
    assert workspace.owned()


def test_a_folder_with_foreign_files_is_never_ours(target: Target, workspace: Workspace) -> None:
    workspace.folder.mkdir()
    (workspace.folder / "thesis.txt").write_text("three years of work")
    for attempt in (target.infra.changes, target.infra.removals, lambda: target.infra.apply(Silent())):
        with pytest.raises(ConfigError, match=r"thesis\.txt"):
            attempt()
    with pytest.raises(ConfigError, match=r"thesis\.txt"):
        target.infra.remove(Silent())
    assert (workspace.folder / "thesis.txt").read_text() == "three years of work"


def test_another_project_s_workspace_is_not_touched(target: Target, workspace: Workspace) -> None:
    Workspace(workspace.folder, "shop-two", workspace.home).claim()
    with pytest.raises(ConfigError, match="belongs to the project 'shop-two'"):
        target.infra.remove(Silent())
    assert (workspace.folder / "workspace.json").exists()


@pytest.mark.parametrize("name", [".", "..", "/", "~", "repository"])
def test_precious_folders_are_refused(project: Path, name: str) -> None:
    (project / "repository" / ".git").mkdir(parents=True)
    path = project / "retail.yaml"
    path.write_text(f"version: 1\nlocal: {{workspace: '{name}'}}\n")
    loaded = config.load(path, targets=targets.settings(), algorithms=["xgboost"], environ={})
    target = targets.open_target(loaded)
    with pytest.raises(ConfigError, match=r"local\.workspace"):
        target.infra.remove(Silent())
    with pytest.raises(ConfigError, match=r"local\.workspace"):
        target.infra.apply(Silent())


def test_a_workspace_behind_a_link_works_and_the_link_stays(target: Target, project: Path, tmp_path: Path) -> None:
    (tmp_path / "big disk").mkdir()
    (project / ".retailops").symlink_to(tmp_path / "big disk" / "ws", target_is_directory=True)
    loaded = config.load(project / "retail.yaml", targets=targets.settings(), algorithms=["xgboost"], environ={})
    linked = targets.open_target(loaded)
    linked.infra.apply(Silent())
    assert (tmp_path / "big disk" / "ws" / "workspace.json").exists()
    linked.infra.remove(Silent())
    assert linked.infra.left() == []
    assert not (tmp_path / "big disk" / "ws").exists()
    linked.infra.apply(Silent())
    assert (project / ".retailops" / "workspace.json").exists()
