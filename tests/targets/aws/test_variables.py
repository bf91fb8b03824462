"""The runner and the module agree about the variables."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import resources

from retailops.config import Config
from retailops.ports import AS_IT_STANDS, Terms
from retailops.targets.aws.session import Session
from retailops.targets.aws.variables import moment, variables

# What a user of the module alone may set, and retailops leaves at its default.
OWN = {"budget_by_tag"}


def test_every_variable_of_the_module_is_set_and_no_other(session: Session) -> None:
    text = resources.files("retailops.templates").joinpath("aws/infra/variables.tf").read_text()
    declared = set(re.findall(r'^variable "(\w+)"', text, re.MULTILINE))
    assert set(variables(session, AS_IT_STANDS, {})) == declared - OWN


def test_what_terms_leave_open_stays_as_it_was(session: Session) -> None:
    before = {"expires": "2026-11-25T18:00:00Z", "parked": True}
    kept = variables(session, AS_IT_STANDS, before)
    assert (kept["expires"], kept["parked"]) == ("2026-11-25T18:00:00Z", True)
    until = datetime(2026, 12, 1, tzinfo=UTC)
    changed = variables(session, Terms(expires=until, parked=False), before)
    assert (changed["expires"], changed["parked"]) == ("2026-12-01T00:00:00Z", False)
    assert moment(changed["expires"]) == until
    assert moment("") is None


def test_the_config_decides_the_rest(aws: object, configured: Callable[[str], Config]) -> None:
    text = "project: {name: shop, environment: prod}\naws: {zones: 3, endpoints: 'on', nodes: {base: 2}}\n"
    found = variables(Session(configured(text)), AS_IT_STANDS, {})
    assert (found["project"], found["zones"], found["node_base"]) == ("shop", 3, 2)
    assert found["interface_endpoints"]
    assert found["buckets"]["raw"] == "shop-prod-raw-123456789012"
