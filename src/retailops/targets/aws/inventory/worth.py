"""Floor 4, aws, inventory: what a thing that is left costs a month. Without a price it says so, and never $0."""

from __future__ import annotations

from retailops.errors import ConfigError
from retailops.ports import Change
from retailops.targets.aws.inventory.account import Account
from retailops.targets.aws.inventory.kind import Found
from retailops.targets.aws.prices import Prices, load


class Worth:
    """The prices of the account's region, if the package has them."""

    def __init__(self, account: Account) -> None:
        self._names = account.names
        self._prices = _prices(account.names.region)

    def monthly(self, found: Found) -> float | None:
        """US dollars a month, rounded to the cent; None when no price is known."""
        lines = found.lines
        if lines is None:
            return None
        try:
            amounts = [self._of(line.key) * line.amount for line in lines]
        except ConfigError:
            return None
        return round(sum(amounts), 2)

    def change(self, found: Found, action: str) -> Change:
        monthly = self.monthly(found)
        detail = found.detail if monthly is not None else ", ".join(filter(None, (found.detail, "price unknown")))
        return Change(
            action,  # type: ignore[arg-type]
            found.kind.name,
            found.name,
            detail,
            monthly or 0.0,
            priced=monthly is not None,
            fix=self._command(found) if action == "left" else "",
        )

    def _of(self, key: str) -> float:
        if self._prices is None:
            raise ConfigError(f"No prices of the region {self._names.region}.")
        return self._prices.of(key).usd

    def _command(self, found: Found) -> str:
        """The AWS command that removes it; for the unknown, where to look."""
        remove = found.kind.remove
        if not remove:
            return f"Find it in the AWS console by its ARN: {found.id}"
        if "{" in remove:
            cluster, _, part = found.id.partition("/")
            known = {"id": found.id, "cluster": cluster, "part": part, "account": self._names.account}
            return f"aws --region {self._names.region} {remove.format(**known)}"
        return f"aws --region {self._names.region} {remove} {found.id}"


def _prices(region: str) -> Prices | None:
    try:
        return load(region)
    except ConfigError:
        return None
