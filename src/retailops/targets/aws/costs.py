"""Floor 4, aws: the price of the whole life before anything is created, and the bill afterwards."""

from __future__ import annotations

from datetime import UTC, date, datetime

from retailops.config import Config
from retailops.ports import Advice, Estimate, Spend
from retailops.targets.aws import traffic
from retailops.targets.aws.bill import Bill, Month, months
from retailops.targets.aws.prices import Prices, load
from retailops.targets.aws.rent import rent
from retailops.targets.aws.settings import Settings
from retailops.targets.aws.usage import balancer, endpoint, usage


class AwsCosts:
    """Estimates and advice need the config alone: no network, no credentials, no SDK."""

    def __init__(self, config: Config, today: date | None = None) -> None:
        self._config = config
        self._settings: Settings = config.settings("aws")
        self._today = today or datetime.now(UTC).date()

    def estimates(self) -> list[Estimate]:
        prices = load(self._settings.region)
        return [self._estimate(prices, month) for month in months(self._config.cost.hours_per_week)]

    def advice(self) -> list[Advice]:
        prices = load(self._settings.region)
        return [traffic.advice(self._settings, prices), self._endpoint(prices)]

    def live(self) -> Spend:
        from retailops.targets.aws.session import Session
        from retailops.targets.aws.spend import spend

        return spend(Session(self._config), self._today)

    def _estimate(self, prices: Prices, month: Month) -> Estimate:
        bill = Bill(prices)
        rent(bill, self._settings, month, self._today)
        usage(bill, self._config, month)
        return Estimate(month.scenario, tuple(bill.lines))

    def _endpoint(self, prices: Prices) -> Advice:
        """What a SageMaker endpoint would cost in place of the load balancer and its way to the cluster."""
        always = months(self._config.cost.hours_per_week)[0]
        served = {"EKS": balancer, "SageMaker endpoint": endpoint}
        monthly = {}
        for name, serve in served.items():
            bill = Bill(prices)
            serve(bill, self._settings, always)
            monthly[name] = round(sum(line.monthly_usd for line in bill.lines), 2)
        machines = self._settings.endpoint
        return Advice(
            subject="EKS or a SageMaker endpoint",
            choice="EKS",
            reason=(
                f"The cluster's nodes stand anyway, so serving on them costs ${monthly['EKS']:,.2f} a month, most of "
                f"it the load balancer's. An endpoint on {machines.instances_min} × {machines.instance} costs "
                f"${monthly['SageMaker endpoint']:,.2f}, idle or not."
            ),
            monthly_usd=monthly,
        )


def interface_endpoints(config: Config) -> tuple[str, ...]:
    """The services, by suffix, that get an interface endpoint: `aws.endpoints`, its "auto" settled by price.

    ConfigError when "auto" has no prices to go by.
    """
    settings: Settings = config.settings("aws")
    fixed = traffic.FIXED.get(settings.endpoints)
    return traffic.endpoints(settings, load(settings.region)) if fixed is None else fixed
