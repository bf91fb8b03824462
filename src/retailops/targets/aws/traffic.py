"""Floor 4, aws: whether traffic to AWS's own services goes through NAT or through interface endpoints, by price.

A NAT gateway stays either way: the nodes call many services. So an endpoint saves the NAT's price per GB for what it
carries, and costs its hours in each zone. What can be carried:

- `logs`: everything that the nodes write to CloudWatch Logs.
- `ecr.api` and `ecr.dkr`: a few KB for each pull. The layers of images come from S3, through the gateway endpoint that
  is always there and free. By price alone these two never pay; they keep pulls going when NAT is down.
"""

from __future__ import annotations

from dataclasses import dataclass

from retailops.ports import Advice
from retailops.targets.aws.bill import HOURS, cents
from retailops.targets.aws.prices import Prices
from retailops.targets.aws.settings import Settings

LOGS = ("logs",)
FIXED = {"on": ("ecr.api", "ecr.dkr", "logs"), "off": ()}  # aws.endpoints → services, where no price decides


@dataclass(frozen=True)
class BreakEven:
    """What carrying the logs costs a month on either way, and from how many GB on the endpoint is cheaper."""

    gb: float
    nat_usd: float
    endpoint_usd: float
    tips_gb: float

    @property
    def pays(self) -> bool:
        return self.endpoint_usd < self.nat_usd


def logs(settings: Settings, prices: Prices) -> BreakEven:
    """The endpoint for CloudWatch Logs against NAT, for the traffic that `aws.usage` declares."""
    through_nat, through_endpoint = prices.of("nat.gb").usd, prices.of("endpoint.gb").usd
    standing = settings.zones * HOURS * prices.of("endpoint.hour").usd
    gb = carried_gb(settings)
    saved = through_nat - through_endpoint
    return BreakEven(
        gb=gb,
        nat_usd=cents(gb, through_nat),
        endpoint_usd=round(cents(1, standing) + cents(gb, through_endpoint), 2),
        tips_gb=standing / saved if saved > 0 else float("inf"),
    )


def carried_gb(settings: Settings) -> float:
    """GB a month that an endpoint for logs takes from NAT."""
    return min(settings.usage.log_gb, settings.usage.nat_gb)


def endpoints(settings: Settings, prices: Prices) -> tuple[str, ...]:
    """The services, by suffix, that get an interface endpoint."""
    fixed = FIXED.get(settings.endpoints)
    if fixed is None:
        return LOGS if logs(settings, prices).pays else ()
    return fixed


def advice(settings: Settings, prices: Prices) -> Advice:
    """Which way is cheaper for the declared traffic, and where it tips."""
    found = logs(settings, prices)
    why = "cheaper" if settings.endpoints == "auto" else "as set"
    services = endpoints(settings, prices)
    standing = cents(len(services) * settings.zones * HOURS, prices.of("endpoint.hour").usd)
    return Advice(
        subject="NAT or interface endpoints",
        choice=f"endpoints for ${standing:,.2f} a month ({why})" if services else f"NAT ({why})",
        reason=(
            f"{found.gb:,.4g} GB of logs a month cost ${found.nat_usd:,.2f} through NAT and ${found.endpoint_usd:,.2f} "
            f"through an endpoint in {settings.zones} zones; it pays from {found.tips_gb:,.0f} GB. Endpoints for ECR "
            "don't pay: image layers come from S3, by the free gateway endpoint. NAT stays for all other calls."
        ),
        monthly_usd={"NAT": found.nat_usd, "endpoint": found.endpoint_usd},
    )
