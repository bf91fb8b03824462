"""cost: what a month costs, before anything is created; over the budget is a missed gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from retailops.errors import GateFailed, NotReady
from retailops.lifecycle.outcome import Outcome
from retailops.ports import Estimate, Spend, Target


def estimate(target: Target, scenario: str | None = None) -> Estimate:
    """The estimate of `scenario`, else of the one that `cost.scenario` names; "always" where a target has no other."""
    return _chosen(target, target.costs.estimates(), scenario)


def over_budget(target: Target, found: Estimate) -> GateFailed | None:
    """The error of an estimate above the budget, or None."""
    budget = target.config.cost.monthly_budget_usd
    if found.monthly_usd <= budget:
        return None
    return GateFailed(
        f"${found.monthly_usd:,.2f} a month ({found.scenario}) is more than the budget of ${budget:,.2f}.",
        "See the lines: retailops cost. Raise cost.monthly_budget_usd, or add --allow-over-budget.",
    )


def overspent(target: Target, spend: Spend) -> GateFailed | None:
    """The error of a bill that is above the budget, or is heading there; None while it isn't."""
    budget = target.config.cost.monthly_budget_usd
    if spend.month_to_date_usd > budget:
        what = f"${spend.month_to_date_usd:,.2f} since {spend.since} is more than the budget of ${budget:,.2f}."
    elif spend.forecast_usd is not None and spend.forecast_usd > budget:
        what = f"This month is heading for ${spend.forecast_usd:,.2f}, more than the budget of ${budget:,.2f}."
    else:
        return None
    return GateFailed(what, "Pay less from now on: retailops infra park, or retailops teardown. Or raise the budget.")


def cost(target: Target, allow_over_budget: bool, scenario: str | None = None, live: bool = False) -> Outcome:
    """The bill of one scenario beside the totals of the others; with `live`, what was really billed this month."""
    estimates = target.costs.estimates()
    found = _chosen(target, estimates, scenario)
    spend = target.costs.live() if live else None
    failed = over_budget(target, found) or (overspent(target, spend) if spend else None)
    result: dict[str, Any] = {
        "monthly_usd": found.monthly_usd,
        "scenario": found.scenario,
        "budget_usd": target.config.cost.monthly_budget_usd,
        "lines": [asdict(line) for line in found.lines],
        "scenarios": {each.scenario: each.monthly_usd for each in estimates},
        "advice": [asdict(each) for each in target.costs.advice()],
        "prices_dated": _dated(found),
    }
    if spend is not None:
        result["live"] = asdict(spend)
    return Outcome(result, failed=None if allow_over_budget else failed)


def _chosen(target: Target, estimates: Sequence[Estimate], scenario: str | None) -> Estimate:
    by_name = {each.scenario: each for each in estimates}
    found = by_name.get(scenario or target.config.cost.scenario) or by_name.get("always")
    if found is None:
        raise NotReady(f"The target {target.name} has no estimate.", "Report this.")
    return found


def _dated(found: Estimate) -> dict[str, str] | None:
    """The oldest and the newest reading among the prices; None where nothing is priced."""
    days = sorted(line.dated for line in found.lines)
    return {"oldest": days[0], "newest": days[-1]} if days else None
