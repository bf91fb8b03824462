"""The fast way in: a thin ASGI layer that answers predictions itself and hands everything else to the FastAPI app."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sized
from time import perf_counter
from typing import Any, cast

import msgspec

from retailops.retail.predictor import Scored
from retailops.serving.gathering import Gathering
from retailops.serving.live import Live
from retailops.serving.refusals import Refused
from retailops.serving.schema import Decoder, Predictions, explained

LOG = logging.getLogger("retailops.serving")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_DISCARD = 32  # times the size limit that is read and thrown away, so that a sender hears the 413
_JSON = (b"content-type", b"application/json")
_CLOSE = (b"connection", b"close")
_INVOCATIONS = "/invocations"
_ATTRIBUTES = b"x-amzn-sagemaker-custom-attributes"  # what SageMaker hands on of a caller's wishes; queries it doesn't
_FAILED = Refused(500, "The server failed on this request.", "The server's log says why: retailops logs")


class _Gone(Exception):
    """The client hung up before its body was complete."""


class Front:
    """One per listening socket; `recorded` requests count in metrics and go to the prediction log."""

    def __init__(self, app: App, live: Live, running: Sized, *, recorded: bool = True) -> None:
        self._app = app
        self._live = live
        self._recorded = recorded
        self._decoder = Decoder(live.limits)
        self._gathering = Gathering(live.predictor, running)
        self._encode = msgspec.json.Encoder().encode
        self._reading: dict[asyncio.Task[Any], float] = {}
        self._overdue: set[asyncio.Task[Any]] = set()
        self._routes = {"/predict": self._one, "/predict/batch": self._many, _INVOCATIONS: self._either}
        self._counts = {path: live.metrics.route(path) for path in self._routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._routes.get(scope["path"])
        if answer is None:
            await self._other(scope, receive, send)
            return
        started = perf_counter()
        close = self._live.draining
        allow = ""
        scored: list[Scored] = []
        what = ""
        try:
            body = await self._body(scope, receive)
            content, scored = await answer(body, _asked(scope))
            status = 200
        except Refused as refused:
            status, content, what, allow = refused.status, refused.body, refused.what, refused.allow
            close = close or refused.close
        except _Gone:
            return
        except Exception:
            LOG.exception("A request failed")
            status, content, what = 500, _FAILED.body, _FAILED.what
        seconds = perf_counter() - started
        await send({"type": "http.response.start", "status": status, "headers": _headers(content, close, allow)})
        await send({"type": "http.response.body", "body": content})
        if self._recorded:
            self._record(scope["path"], status, seconds, scored, what)

    async def _one(self, body: bytes, query: bytes) -> tuple[bytes, list[Scored]]:
        scored = await self._gathering.predict(self._decoder.basket(body))
        return self._encode(explained(scored) if _wants_features(query) else scored.prediction), [scored]

    async def _many(self, body: bytes, query: bytes) -> tuple[bytes, list[Scored]]:
        scored = await self._gathering.predict_many(self._decoder.baskets(body))
        one = explained if _wants_features(query) else _plain
        return self._encode(Predictions([one(each) for each in scored])), scored

    async def _either(self, body: bytes, query: bytes) -> tuple[bytes, list[Scored]]:
        """SageMaker has one address for all: a batch is known by its `baskets`."""
        return await (self._many if self._decoder.is_batch(body) else self._one)(body, query)

    def _record(self, route: str, status: int, seconds: float, scored: list[Scored], what: str) -> None:
        live = self._live
        self._counts[route].answered(status, seconds)
        for each in scored:
            live.metrics.predicted(each.prediction.prediction, each.prediction.coverage)
            if live.journal is not None:
                live.journal.predicted(each, seconds)
        if status != 200 and live.journal is not None:
            live.journal.failed(route, status, what, seconds)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body, within the limits of size and time."""
        length = self._declared(scope)
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._reading[task] = perf_counter() + self._live.limits.body_timeout_s
        try:
            if length > self._live.limits.max_body:
                raise await self._too_big(receive)
            message = await receive()
            body: bytes = message.get("body", b"")
            while message.get("more_body", False) and len(body) <= self._live.limits.max_body:
                message = await receive()
                body += message.get("body", b"")
            if message["type"] == "http.disconnect":
                raise _Gone
            if len(body) > self._live.limits.max_body:
                raise await self._too_big(receive) if message.get("more_body", False) else self._big()
            return body
        except asyncio.CancelledError:
            if task not in self._overdue:
                raise
            self._overdue.discard(task)
            task.uncancel()
            what = f"The body didn't arrive within {self._live.limits.body_timeout_s:g} s."
            raise Refused(408, what, "Send it faster, or raise deploy.body_timeout_s.", close=True) from None
        finally:
            del self._reading[task]

    def _declared(self, scope: Scope) -> int:
        """The body's length as the headers have it, 0 when they don't say; Refused when it can't be anything for us."""
        if scope["method"] != "POST":
            close = scope["method"] not in ("GET", "HEAD")
            raise Refused(405, "Only POST is answered here.", "What to send is at /docs.", close=close, allow="POST")
        length = 0
        for name, value in scope["headers"]:
            if name == b"content-length":
                length = int(value)
            elif name == b"content-type" and not _is_json(value):
                what = "The body isn't declared as JSON."
                raise Refused(415, what, "Send the header Content-Type: application/json", close=True)
            elif name == b"content-encoding" and value.lower() != b"identity":
                raise Refused(415, "A compressed body isn't taken.", "Send it without Content-Encoding.", close=True)
        return length

    async def _too_big(self, receive: Receive) -> Refused:
        """Read on for a while, or the sender would see a broken connection instead of the answer."""
        left = self._live.limits.max_body * _DISCARD
        message: dict[str, Any] = {"more_body": True}
        while message.get("more_body", False) and left > 0:
            message = await receive()
            left -= len(message.get("body", b""))
        return self._big()

    def _big(self) -> Refused:
        kb = self._live.limits.max_body // 1024
        what = f"The body is larger than {kb} KB."
        return Refused(413, what, "Send smaller batches, or raise deploy.max_body_kb.", close=True)

    def sweep(self) -> None:
        """Give up on bodies that are overdue. One timer for all of them is cheaper than one a request."""
        now = perf_counter()
        for task, deadline in list(self._reading.items()):
            if now > deadline and task not in self._overdue:
                self._overdue.add(task)
                task.cancel()

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        status = 500

        async def passed(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if self._live.draining:
                    message = {**message, "headers": [*message.get("headers", ()), _CLOSE]}
            await send(message)

        await self._app(scope, receive, passed)
        if self._recorded:
            route = scope["path"] if status not in (404, 405) else "other"
            self._live.metrics.route(route).answered(status, perf_counter() - started)


def _plain(scored: Scored) -> Any:
    return scored.prediction


def _asked(scope: Scope) -> bytes:
    """What the caller wants besides the answer, like `explain=features`."""
    if scope["path"] == _INVOCATIONS:
        return cast(bytes, dict(scope["headers"]).get(_ATTRIBUTES, b""))
    return cast(bytes, scope["query_string"])


def _wants_features(query: bytes) -> bool:
    return query == b"explain=features"


def _is_json(value: bytes) -> bool:
    kind = value.partition(b";")[0].strip().lower()
    return kind == b"application/json" or (kind.startswith(b"application/") and kind.endswith(b"+json"))


def _headers(content: bytes, close: bool, allow: str) -> list[tuple[bytes, bytes]]:
    headers = [_JSON, (b"content-length", str(len(content)).encode())]
    if close:
        headers.append(_CLOSE)
    if allow:
        headers.append((b"allow", allow.encode()))
    return headers
