"""Baskets that arrive together are predicted together: waking the model costs more than one basket's arithmetic.

Nobody waits for company. What the event loop has read in one turn is predicted at the end of that turn; a request that
is alone is predicted at once. Trees give the same bits alone and in company, a linear model the same to 2e-7.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sized

from retailops.retail.predictor import Basket, Predictor, Scored

_AT_ONCE = 64  # baskets predicted before other requests get their turn


class Gathering:
    """`running` are the requests that the server is busy with."""

    def __init__(self, predictor: Predictor, running: Sized) -> None:
        self._predictor = predictor
        self._running = running
        self._waiting: list[tuple[Basket, asyncio.Future[Scored]]] = []

    async def predict(self, basket: Basket) -> Scored:
        """One basket, whose neighbours' errors don't touch it."""
        if len(self._running) < 2:
            return self._predictor.predict([basket])[0]
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._answer)
        future: asyncio.Future[Scored] = loop.create_future()
        self._waiting.append((basket, future))
        return await future

    async def predict_many(self, baskets: list[Basket]) -> list[Scored]:
        """A batch in slices, so that others aren't kept waiting by it."""
        scored: list[Scored] = []
        for start in range(0, len(baskets), _AT_ONCE):
            scored += self._predictor.predict(baskets[start : start + _AT_ONCE])
            await asyncio.sleep(0)
        return scored

    def _answer(self) -> None:
        together, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._answer)
        try:
            found = self._predictor.predict([basket for basket, _ in together])
        except Exception:  # noqa: BLE001 - whose basket it was comes out below, each one alone
            self._answer_each(together)
            return
        for (_, future), scored in zip(together, found, strict=True):
            if not future.done():
                future.set_result(scored)

    def _answer_each(self, together: list[tuple[Basket, asyncio.Future[Scored]]]) -> None:
        for basket, future in together:
            if future.done():
                continue
            try:
                future.set_result(self._predictor.predict([basket])[0])
            except Exception as error:  # noqa: BLE001 - handed to the request that it belongs to
                future.set_exception(error)
