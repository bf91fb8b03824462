"""Baskets predicted together: everyone gets the own answer, and nobody another's error."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from retailops.retail.predictor import Basket, Line, Prediction, Scored
from retailops.serving.gathering import Gathering


class Oracle:
    """Stands in for a predictor: repeats the basket's name, stumbles over one that is called "bad"."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def predict(self, baskets: Sequence[Basket]) -> list[Scored]:
        self.sizes.append(len(baskets))
        if any(basket.basket_id == "bad" for basket in baskets):
            raise ArithmeticError("a bad basket")
        return [Scored(Prediction(basket.basket_id, "MM", "Medium", {}, 1.0, 1), []) for basket in baskets]


def basket(name: str) -> Basket:
    return Basket(name, [Line("P", 1, 1.0)])


def together(names: Sequence[str], running: int) -> tuple[list[Any], list[int]]:
    """What each request got when all came in one turn, and the sizes of what was predicted at once."""
    oracle = Oracle()

    async def ask() -> list[Any]:
        gathering = Gathering(oracle, range(running))  # type: ignore[arg-type]
        asked: list[Coroutine[Any, Any, Scored]] = [gathering.predict(basket(name)) for name in names]
        return await asyncio.gather(*asked, return_exceptions=True)

    found = asyncio.run(ask())
    return [each.prediction.basket_id if isinstance(each, Scored) else each for each in found], oracle.sizes


def test_requests_of_one_turn_are_predicted_at_once_and_answered_each() -> None:
    names = [str(number) for number in range(10)]
    assert together(names, running=10) == (names, [10])


def test_a_crowd_is_predicted_in_slices() -> None:
    names = [str(number) for number in range(150)]
    found, sizes = together(names, running=150)
    assert found == names
    assert sizes == [64, 64, 22]


def test_a_request_that_is_alone_waits_for_nobody() -> None:
    assert together(["1"], running=1) == (["1"], [1])


def test_one_that_fails_fails_alone() -> None:
    found, _ = together(["1", "bad", "2"], running=3)
    assert found[0] == "1"
    assert found[2] == "2"
    assert isinstance(found[1], ArithmeticError)


def test_one_that_gave_up_waiting_harms_nobody() -> None:
    async def ask() -> Scored:
        gathering = Gathering(Oracle(), range(2))  # type: ignore[arg-type]
        impatient = asyncio.ensure_future(gathering.predict(basket("1")))
        patient = asyncio.ensure_future(gathering.predict(basket("2")))
        await asyncio.sleep(0)
        impatient.cancel()
        return await patient

    assert asyncio.run(ask()).prediction.basket_id == "2"


def test_clients_that_ask_at_the_same_time_get_what_they_get_alone(server: Any, golden: list[dict[str, Any]]) -> None:
    def ask(row: dict[str, Any]) -> Any:
        return server.client.post("/predict?explain=features", json=row["basket"]).json()

    rows = golden * 5
    with ThreadPoolExecutor(16) as crowd:
        for row, answer in zip(rows, crowd.map(ask, rows), strict=True):
            assert answer["basket_id"] == row["basket"]["basket_id"]
            assert answer["features"] == row["features"]
            assert answer["probabilities"] == pytest.approx(row["probabilities"], abs=1e-5)
