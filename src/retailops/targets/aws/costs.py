"""Floor 4, aws: the price of the whole life before anything is created, and the bill afterwards."""

from __future__ import annotations

from retailops.config import Config
from retailops.ports import Advice, Estimate, Spend


class AwsCosts:
    def __init__(self, config: Config) -> None:
        self._config = config

    def estimates(self) -> list[Estimate]:
        return []

    def advice(self) -> list[Advice]:
        return []

    def live(self) -> Spend:
        raise NotImplementedError
