"""Terraform itself, on modules that need no provider: events, diagnostics, Ctrl-C, being killed, two at once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from retailops.errors import Interrupted, NotReady, TargetFailed
from retailops.progress import Silent
from retailops.tools.diagnosis import Rule, refusal
from retailops.tools.stream import Stream
from retailops.tools.terraform import Terraform, _changes

pytestmark = [
    pytest.mark.slow,  # each starts Terraform several times
    pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform isn't on the PATH"),
]

# `waiting` begins when it has written `started`, and ends when somebody writes `go`.
MODULE = """
variable "size" {
  type = number
  validation {
    condition     = var.size < 10
    error_message = "size must be below 10."
  }
}
resource "terraform_data" "first" { input = var.size }
resource "terraform_data" "waiting" {
  input = terraform_data.first.output
  provisioner "local-exec" {
    command = var.size == 1 ? "true" : "touch started; while [ ! -e go ]; do sleep 0.02; done"
  }
}
resource "terraform_data" "last" { input = terraform_data.waiting.id }
output "size" { value = terraform_data.first.output }
"""
# What the command line does, in a process of its own that can be interrupted and killed.
RUN = """
import sys
from pathlib import Path
from retailops import files
from retailops.errors import RetailOpsError
from retailops.progress import Silent
from retailops.tools.terraform import Terraform, _changes
folder = Path(sys.argv[1])
terraform = Terraform(folder, folder / "logs")
try:
    with files.lock(folder / "busy.lock", "a test", wait=False) as lock:
        terraform.plan(Silent(), inherit=[lock])
        for event in terraform.apply(Silent(), inherit=[lock]):
            pass
except RetailOpsError as error:
    print(error)
    sys.exit(error.code)
"""


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CLI_CONFIG_FILE", raising=False)


@pytest.fixture
def module(tmp_path: Path) -> Callable[[int], Terraform]:
    """The module with its one variable, initialised."""

    def make(size: int) -> Terraform:
        (tmp_path / "main.tf").write_text(MODULE)
        (tmp_path / "terraform.tfvars.json").write_text(json.dumps({"size": size}))
        terraform = Terraform(tmp_path, tmp_path / "logs")
        terraform.init({})
        return terraform

    return make


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """The same in a process of its own, that has come as far as `waiting`."""
    children: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", RUN, str(tmp_path)]
        children.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        wait((tmp_path / "started").exists)
        return children[-1]

    yield start
    (tmp_path / "go").touch()
    for child in children:  # to the end, so that no Terraform is left waiting in a folder that is gone
        if child.returncode is None:
            child.communicate(timeout=60)


def wait(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def state(folder: Path) -> list[str]:
    return Terraform(folder, folder / "logs").addresses()


def test_a_plan_tells_what_would_change_and_an_apply_does_it(module: Callable[[int], Terraform]) -> None:
    terraform = module(1)
    assert terraform.addresses() == []
    planned = terraform.plan(Silent())
    assert {(each.address, each.type, each.actions) for each in planned} == {
        (f"terraform_data.{name}", "terraform_data", ("create",)) for name in ("first", "waiting", "last")
    }
    events = list(terraform.apply(Silent()))
    made = [(each.address, each.action) for each in events if each.type == "apply_complete"]
    assert made == [(f"terraform_data.{name}", "create") for name in ("first", "waiting", "last")]
    assert all(each.identity for each in events if each.type == "apply_complete")
    assert terraform.outputs() == {"size": 1}
    assert terraform.plan(Silent()) == []
    terraform.forget(["terraform_data.last"])
    gone = [each.address for each in terraform.destroy(Silent()) if each.type == "apply_complete"]
    assert gone == ["terraform_data.waiting", "terraform_data.first"]
    assert terraform.addresses() == []


def test_a_diagnostic_says_where_and_what(module: Callable[[int], Terraform]) -> None:
    with pytest.raises(TargetFailed) as refused:
        module(11).plan(Silent())
    assert refused.value.what.startswith("terraform.tfvars.json:1: Invalid value for variable: size must be below 10.")
    assert "plan.jsonl" in refused.value.fix


def test_a_broken_module_is_told_by_the_commands_that_only_ask(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text("resource {")
    with pytest.raises(TargetFailed, match=r"main\.tf:1"):
        Terraform(tmp_path, tmp_path / "logs").init({})


def test_ctrl_c_ends_terraform_in_order_and_a_second_run_converges(
    tmp_path: Path, module: Callable[[int], Terraform], running: Callable[[], subprocess.Popen[str]]
) -> None:
    module(2)
    process = running()
    assert (tmp_path / ".terraform.tfstate.lock.info").exists()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == Interrupted.code, out
    assert "ended in order" in out and "Run this again" in out
    assert not (tmp_path / ".terraform.tfstate.lock.info").exists()
    assert set(state(tmp_path)) == {"terraform_data.first", "terraform_data.waiting"}
    (tmp_path / "go").touch()
    again = module(2).plan(Silent())
    assert {(each.address, each.actions, each.half_made) for each in again} == {
        ("terraform_data.waiting", ("delete", "create"), True),
        ("terraform_data.last", ("create",), False),
    }
    module(2).keep(["terraform_data.waiting"])
    assert [(each.address, each.actions) for each in module(2).plan(Silent())] == [("terraform_data.last", ("create",))]
    assert len([each for each in module(2).apply(Silent()) if each.type == "apply_complete"]) == 1
    assert module(2).plan(Silent()) == []


DEPOSED = """
variable "size" { type = number }
resource "terraform_data" "kept" {
  triggers_replace = var.size
  lifecycle { create_before_destroy = true }
}
resource "terraform_data" "user" {
  triggers_replace = terraform_data.kept.id
  provisioner "local-exec" {
    command = var.size == 1 ? "true" : "test -e allowed"
  }
}
"""


def test_what_was_replaced_and_not_yet_removed_counts_as_half_made(
    tmp_path: Path, module: Callable[[int], Terraform]
) -> None:
    def terraform(size: int) -> Terraform:
        made = module(size)
        (tmp_path / "main.tf").write_text(DEPOSED)
        made.plan(Silent())
        return made

    list(terraform(1).apply(Silent()))
    with pytest.raises(TargetFailed, match="test -e allowed"):
        list(terraform(2).apply(Silent()))
    rest = {each.address: each for each in terraform(2).plan(Silent())}["terraform_data.kept"]
    assert (rest.actions, rest.half_made) == (("delete",), True)
    (tmp_path / "allowed").touch()
    list(terraform(2).apply(Silent()))
    assert terraform(2).plan(Silent()) == []


# A Terraform that needs long for its step: the first Ctrl-C it takes as a wish, the second ends it.
SLOW = """
import signal, sys, time
asked = 0
def ask(number, frame):
    global asked
    asked += 1
    if asked == 2:
        sys.exit(1)
signal.signal(signal.SIGINT, ask)
print('{"type": "ready"}', flush=True)
while True:
    time.sleep(0.01)
    if asked:
        print('{"type": "asked"}', flush=True)
"""


def test_ctrl_c_asks_once_and_a_second_one_cuts_it_off(tmp_path: Path) -> None:
    told: list[str] = []

    class Notes(Silent):
        def note(self, text: str) -> None:
            told.append(text.split(maxsplit=1)[0])

    def interrupt_twice(stream: Stream) -> None:
        sent = 0
        for event in stream.events(Notes()):
            if event.type == "ready" or (event.type == "asked" and told and sent == 1):
                signal.raise_signal(signal.SIGINT)
                sent += 1

    stream = Stream([sys.executable, "-c", SLOW], tmp_path, tmp_path / "log.jsonl", [])
    with pytest.raises(Interrupted, match="cut off"):
        interrupt_twice(stream)
    assert stream.code == 1
    assert told == ["Stopping:", "Cut"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_terraform_outlives_us_and_holds_the_lock_until_it_has_ended(
    tmp_path: Path, module: Callable[[int], Terraform], running: Callable[[], subprocess.Popen[str]]
) -> None:
    module(2)
    process = running()
    (child,) = (each for each in psutil.Process(process.pid).children() if each.name() == "terraform")
    process.kill()
    process.communicate()
    assert child.is_running()
    again = subprocess.run([sys.executable, "-c", RUN, str(tmp_path)], capture_output=True, text=True)
    assert again.returncode == NotReady.code
    assert "Another command is busy with this: a test" in again.stdout
    (tmp_path / "go").touch()
    wait(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    assert set(state(tmp_path)) == {"terraform_data.first", "terraform_data.waiting", "terraform_data.last"}
    again = subprocess.run([sys.executable, "-c", RUN, str(tmp_path)], capture_output=True, text=True)
    assert again.returncode == 0, again.stdout + again.stderr


def test_a_state_that_somebody_else_holds_is_not_ready(
    tmp_path: Path, module: Callable[[int], Terraform], running: Callable[[], subprocess.Popen[str]]
) -> None:
    terraform = module(2)
    running()
    with pytest.raises(NotReady, match="acquiring the state lock") as refused:
        terraform.plan(Silent())
    assert "infra unlock" in refused.value.fix


@pytest.mark.parametrize("version", ["1.9.8", "0.12.31"])
def test_a_terraform_without_s3_locks_is_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    program = tmp_path / "terraform"
    program.write_text(f'#!/bin/sh\necho \'{{"terraform_version": "{version}"}}\'\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(NotReady, match=f"{version} is too old"):
        Terraform(tmp_path, tmp_path).version()


def test_no_terraform_is_said_with_where_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotReady, match="isn't on the PATH") as refused:
        Terraform(tmp_path, tmp_path).version()
    assert "doctor" in refused.value.fix


def test_rules_of_the_caller_come_first_and_errors_said_twice_are_told_once() -> None:
    errors = [
        {"summary": "creating EC2 EIP", "detail": "api error AddressLimitExceeded: no more", "address": "aws_eip.a"},
        {"summary": "creating EC2 EIP", "detail": "api error AddressLimitExceeded: no more", "address": "aws_eip.a"},
        {"summary": "odd", "detail": "", "range": {"filename": "main.tf", "start": {"line": 7}}},
    ]
    told = refusal("apply", errors, None, [Rule("LimitExceeded", "Raise the quota.")])
    assert told.what.splitlines() == [
        "aws_eip.a: creating EC2 EIP: api error AddressLimitExceeded: no more",
        "main.tf:7: odd",
    ]
    assert told.fix == "Raise the quota."


@pytest.mark.parametrize(
    ("before", "after", "unknown", "differing"),
    [
        ({"size": 1}, {"size": 2}, {}, {"size"}),
        ({"size": 1, "id": "a"}, {"size": 1}, {"id": True}, set()),
        ({"scale": [{"min": 1, "now": 3}]}, {"scale": [{"min": 1}]}, {"scale": [{"now": True}]}, set()),
        ({"scale": [{"min": 1, "now": 3}]}, {"scale": [{"min": 2}]}, {"scale": [{"now": True}]}, {"scale"}),
        ({"types": ["a"]}, {"types": ["a", "b"]}, {"types": [False, False]}, {"types"}),
    ],
)
def test_what_differs_leaves_out_what_a_plan_cant_know(
    before: dict[str, object], after: dict[str, object], unknown: dict[str, object], differing: set[str]
) -> None:
    resource = {"address": "a.b", "type": "a", "name": "b", "mode": "managed"}
    change = {"actions": ["update"], "before": before, "after": after, "after_unknown": unknown}
    (found,) = _changes({"resource_changes": [{**resource, "change": change}]})
    assert found.attributes == differing
