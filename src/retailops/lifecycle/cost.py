"""cost: what a month costs, before anything is created; over the budget is a missed gate."""

from __future__ import annotations

from dataclasses import asdict

from retailops.errors import GateFailed, NotReady
from retailops.lifecycle.outcome import Outcome
from retailops.ports import Estimate, Target


def estimate(target: Target) -> Estimate:
    """The estimate of the scenario that `cost.scenario` names; of "always" where a target has no other."""
    estimates = {each.scenario: each for each in target.costs.estimates()}
    found = estimates.get(target.config.cost.scenario) or estimates.get("always")
    if found is None:
        raise NotReady(f"The target {target.name} has no estimate.", "Report this.")
    return found


def over_budget(target: Target, found: Estimate) -> GateFailed | None:
    """The error of an estimate above the budget, or None."""
    budget = target.config.cost.monthly_budget_usd
    if found.monthly_usd <= budget:
        return None
    return GateFailed(
        f"${found.monthly_usd:,.2f} a month ({found.scenario}) is more than the budget of ${budget:,.2f}.",
        "See the lines: retailops cost. Raise cost.monthly_budget_usd, or add --allow-over-budget.",
    )


def cost(target: Target, allow_over_budget: bool) -> Outcome:
    found = estimate(target)
    result = {"monthly_usd": found.monthly_usd, "scenario": found.scenario, "lines": [asdict(x) for x in found.lines]}
    return Outcome(result, failed=None if allow_over_budget else over_budget(target, found))
