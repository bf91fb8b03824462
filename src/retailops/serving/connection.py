"""uvicorn's HTTP/1.1 connection with two limits it doesn't have: how large and how slow a request's head may be."""

from __future__ import annotations

import time
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from retailops.serving.refusals import Refused

_MAX_HEAD = 64 * 1024  # bytes of request line and headers

_NOT_HTTP = Refused(400, "This isn't an HTTP/1.1 request.", "The routes are at /docs.")
_LARGE = Refused(431, f"The headers are larger than {_MAX_HEAD // 1024} KB.", "Send fewer or shorter headers.")


class Connection(HttpToolsProtocol):
    """`since` is when the head that is incomplete now was first seen by `overdue`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head = 0
        self._since: float | None = None

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._head = 0  # a request has begun; its body is the front's business
            return
        self._head += len(data)
        if self._head > _MAX_HEAD and not self.transport.is_closing():
            self._end(_LARGE, b"431 Request Header Fields Too Large")

    def send_400_response(self, msg: str) -> None:
        self._end(_NOT_HTTP, b"400 Bad Request")

    def _end(self, refused: Refused, status: bytes) -> None:
        head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(head % (status, len(refused.body)) + refused.body)
        self.transport.close()

    def close_if_overdue(self, limit_s: float) -> None:
        """Asked about once a second: end the connection when a head doesn't become complete for `limit_s`."""
        waits = self.cycle is None or self.cycle.response_complete
        if not waits or self.timeout_keep_alive_task is not None:
            self._since = None
            return
        now = time.monotonic()
        self._since = self._since or now
        if now - self._since > limit_s:
            self.transport.close()
