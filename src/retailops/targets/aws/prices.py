"""Floor 4, aws: what AWS asks for a unit of anything, as read on a day; one dated file a region, no network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Literal

from retailops.errors import ConfigError

# Kind of item → the keys of retail.yaml that name one.
_KEYS = {
    "ec2": "aws.nodes.types",
    "spot": "aws.nodes.types",
    "sagemaker": "aws.jobs.instance, aws.training.instance or aws.endpoint.instance",
    "sagemaker-spot": "aws.training.instance",
}


@dataclass(frozen=True)
class Price:
    """The price of one unit."""

    usd: float
    unit: str
    source: str
    dated: str  # ISO 8601 day on which the source was read, as well as it is known
    certainty: Literal["read", "typical", "unconfirmed"]


class Prices:
    """The prices of one region. `content` is a file of the folder prices/."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.region: str = content["region"]
        self._sources: Mapping[str, Any] = content["sources"]
        self._items: Mapping[str, Any] = content["prices"]

    def of(self, item: str) -> Price:
        """The price of `item`, like `nat.hour` or `ec2.t3.medium`. ConfigError when the file has none: never $0."""
        found = self._items.get(item)
        if found is None:
            raise self._missing(item)
        source = self._sources[found["source"]]
        return Price(found["usd"], found["unit"], source["where"], source["dated"], found.get("certainty", "read"))

    def _missing(self, item: str) -> ConfigError:
        kind, _, name = item.partition(".")
        others = [each.removeprefix(f"{kind}.") for each in self._items if each.startswith(f"{kind}.")]
        what = f"No price is known for {name} ({kind}) in {self.region}, so nothing can be said about its cost."
        if kind in _KEYS:
            return ConfigError(what, f"Set {_KEYS[kind]} to one of: {', '.join(others)}.")
        return ConfigError(
            what, f"The price file of {self.region} lacks `{item}`: set another aws.region, or report it."
        )


def regions() -> list[str]:
    """The regions whose prices are in the package."""
    return sorted(file.name.removesuffix(".json") for file in _folder().iterdir() if file.name.endswith(".json"))


def load(region: str) -> Prices:
    """The prices of `region`. ConfigError when there are none, with the regions that there are."""
    if region not in regions():
        raise ConfigError(
            f"No prices are known for the region {region}, so nothing can be said about its cost.",
            f"Set aws.region to one of: {', '.join(regions())}.",
        )
    return Prices(json.loads((_folder() / f"{region}.json").read_text(encoding="utf-8")))


def _folder() -> Traversable:
    return files("retailops.targets.aws") / "prices"
