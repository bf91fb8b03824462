"""Floor 3: Terraform, the program. What only asks goes through python-terraform; what takes long is a stream of events.

A folder holds one root module with its variables in `terraform.tfvars.json`; everything here works in such a folder.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from retailops import environment
from retailops.errors import NotReady, TargetFailed
from retailops.progress import Progress
from retailops.tools.diagnosis import Rule, refusal
from retailops.tools.stream import Event, Stream

OLDEST = (1, 10, 0)  # the first whose S3 state has a lock file of its own
PLAN = "plan.bin"


@dataclass(frozen=True)
class ResourceChange:
    """One resource of a plan: `actions` are Terraform's words, `create`, `update`, `delete`, in their order."""

    address: str
    type: str
    name: str  # what it is called outside of Terraform, as far as the plan knows; else its name in the module
    actions: tuple[str, ...]
    drifted: bool  # what stands differs from what Terraform built
    half_made: bool  # a run that was cut off left it so, or left what it had already replaced
    attributes: frozenset[str] = frozenset()  # of an update: what differs, by name; values may be secret
    after: Mapping[str, Any] = field(
        default_factory=dict, repr=False, compare=False
    )  # what it would be; unknowns left out


class Terraform:
    """Terraform in `folder`. `rules` translate diagnostics that the caller knows more about; first match wins."""

    def __init__(self, folder: Path, logs: Path, rules: Sequence[Rule] = ()) -> None:
        self._folder = folder
        self._logs = logs
        self._rules = tuple(rules)

    def version(self) -> tuple[int, ...]:
        """The installed version. NotReady when there is none, or an old one."""
        program()
        found = tuple(int(part) for part in str(self._json("version")["terraform_version"]).split("-")[0].split("."))
        if found < OLDEST:
            raise NotReady(
                f"Terraform {'.'.join(map(str, found))} is too old: {'.'.join(map(str, OLDEST))} is needed.",
                "Install a newer one: developer.hashicorp.com/terraform/install",
            )
        return found

    def init(self, backend: Mapping[str, str | bool]) -> None:
        """Fetch the provider, connect to the state. Twice is harmless."""
        options = {key: str(value).lower() if isinstance(value, bool) else value for key, value in backend.items()}
        self._call("init", input=False, reconfigure=True, backend_config=options, json=True)

    def plan(self, progress: Progress, *, inherit: Sequence[int] = ()) -> list[ResourceChange]:
        """Compare what is wanted with what stands; writes PLAN. Only what would change, or has drifted, is told."""
        progress.stage("Comparing with what stands")
        count = 0
        for event in self._stream(progress, "plan", f"-out={PLAN}", inherit=inherit):
            if event.type == "refresh_complete":
                count += 1
                progress.advance(count)
        return _changes(self._json("show", PLAN))

    def apply(self, progress: Progress, *, inherit: Sequence[int] = ()) -> Iterator[Event]:
        """Carry PLAN out. Yields `apply_start`, `apply_progress`, `apply_complete` … as they come."""
        yield from self._stream(progress, "apply", "-auto-approve", PLAN, inherit=inherit)

    def destroy(self, progress: Progress, *, inherit: Sequence[int] = ()) -> Iterator[Event]:
        """Remove everything in the state, without asking."""
        yield from self._stream(progress, "destroy", "-auto-approve", inherit=inherit)

    def outputs(self) -> dict[str, Any]:
        """Name → value; empty when nothing stands."""
        return {name: output["value"] for name, output in self._json("output").items()}

    def addresses(self) -> list[str]:
        """The resources in the state; none when there is no state yet."""
        try:
            return self._call("state list").splitlines()
        except TargetFailed as problem:
            if "No state file was found" in problem.what:
                return []
            raise

    def forget(self, addresses: Sequence[str]) -> None:
        """Take resources out of the state; they themselves stay."""
        if addresses:
            self._call("state rm", *addresses)

    def keep(self, addresses: Sequence[str]) -> None:
        """What is marked to be made anew, since a run didn't see it through, is taken as it stands."""
        for address in addresses:
            self._call("untaint", address)

    def unlock(self, identity: str) -> None:
        """Break the lock on the state."""
        self._call("force-unlock", identity, force=True)

    def _stream(self, progress: Progress, verb: str, *words: str, inherit: Sequence[int]) -> Iterator[Event]:
        environment.quiet_terraform()
        command = [program(), verb, "-json", "-input=false", *words]
        stream = Stream(command, self._folder, self._logs / f"{verb}.jsonl", inherit)
        yield from stream.events(progress)
        if stream.code != 0:
            raise refusal(verb, stream.errors, stream.log, self._rules)

    def _json(self, verb: str, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._call(verb, *words, json=True))
        return found

    def _call(self, verb: str, *words: str, **options: Any) -> str:
        """stdout of a command that must succeed."""
        import python_terraform

        environment.quiet_terraform()
        runner = python_terraform.Terraform(working_dir=str(self._folder), terraform_bin_path=program())
        flags = {name: python_terraform.IsFlagged if value is True else value for name, value in options.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # python-terraform logs through a name of old
            code, out, err = runner.cmd(verb, *words, **flags)
        if code != 0:
            raise refusal(verb, _errors(out) or [{"summary": err.strip() or out.strip()}], None, self._rules)
        return str(out)


def program() -> str:
    """Where Terraform is. NotReady when it isn't."""
    found = shutil.which("terraform")
    if found is None:
        raise NotReady(
            "Terraform isn't on the PATH; the target's infrastructure is built with it.",
            "Install it (developer.hashicorp.com/terraform/install), then: retailops doctor",
        )
    return found


def _errors(out: str) -> list[dict[str, Any]]:
    """The error diagnostics of a command that printed events."""
    found = [event for line in out.splitlines() if (event := Event.read(line.encode()))]
    return [event.diagnostic for event in found if event.is_error]


def _changes(plan: Mapping[str, Any]) -> list[ResourceChange]:
    drifted = {each["address"] for each in plan.get("resource_drift", [])}
    return [
        ResourceChange(
            address=each["address"],
            type=each["type"],
            name=_name(each),
            actions=tuple(each["change"]["actions"]),
            drifted=each["address"] in drifted,
            half_made=each.get("action_reason") == "replace_because_tainted" or "deposed" in each,
            attributes=_differing(each["change"]),
            after=each["change"].get("after") or {},
        )
        for each in plan.get("resource_changes", [])
        if each["mode"] == "managed" and each["change"]["actions"] not in (["no-op"], ["read"])
    ]


def _name(resource: Mapping[str, Any]) -> str:
    known = {**(resource["change"].get("before") or {}), **(resource["change"].get("after") or {})}
    return next((str(known[key]) for key in ("name", "bucket", "id") if known.get(key)), str(resource["name"]))


def _differing(change: Mapping[str, Any]) -> frozenset[str]:
    before, after, unknown = (change.get(key) or {} for key in ("before", "after", "after_unknown"))
    keys = before.keys() | after.keys()
    return frozenset(key for key in keys if not _same(before.get(key), after.get(key), unknown.get(key)))


def _same(before: Any, after: Any, unknown: Any) -> bool:
    """Whether two values are equal, leaving out what the plan can't know yet."""
    if unknown is True:
        return True
    if isinstance(before, dict) and isinstance(after, dict):
        unsure = unknown if isinstance(unknown, dict) else {}
        return all(_same(before.get(key), after.get(key), unsure.get(key)) for key in before.keys() | after.keys())
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        rows = zip_longest(before, after, unknown[: len(before)] if isinstance(unknown, list) else [])
        return all(_same(*row) for row in rows)
    return bool(before == after)
