"""One call to a cluster's API: the client library brings credentials and TLS, the answer stays plain JSON.

The library's models aren't used: they refuse what a cluster of another age says differently.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from retailops.tools.kube.refusals import refusal, unreachable

CONNECT_S = 5.0
ANSWER_S = 30.0
JSON = "application/json"
APPLY = "application/apply-patch+yaml"  # JSON is YAML too
MERGE = "application/merge-patch+json"


class Wire:
    """`pool` is urllib3's, already fit for this cluster; threads may share it."""

    def __init__(self, pool: Any, configuration: Any) -> None:
        self._pool = pool
        self._configuration = configuration
        self.host = str(configuration.host)

    def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        content: str = JSON,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """(status, body), whatever the status. Unreachable when nobody answers."""
        answer = self._send(method, path, query, body, content, ANSWER_S, headers)
        try:
            return int(answer.status), bytes(answer.data)
        finally:
            answer.release_conn()

    def json(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        content: str = JSON,
        doing: str = "",
        fine: int = 0,
    ) -> dict[str, Any] | None:
        """The decoded answer; None for the refusal that is `fine`. Other refusals are raised as what they mean."""
        status, found = self.ask(method, path, query, body, content)
        if status == fine:
            return None
        if status >= 400:
            raise refusal(status, found, doing or f"{method.lower()} {path}")
        decoded: dict[str, Any] = json.loads(found) if found else {}
        return decoded

    def lines(self, path: str, query: Mapping[str, Any], doing: str, patience: float | None = None) -> Iterator[str]:
        """An answer that comes line by line, for as long as the other end has something to say.

        `patience` seconds may pass between two parts of it, None: any time.
        """
        from urllib3.exceptions import HTTPError

        answer = self._send("GET", path, query, None, JSON, patience)
        try:
            if answer.status >= 400:
                raise refusal(answer.status, bytes(answer.data), doing)
            rest = b""
            for part in answer.stream(1 << 14):
                *whole, rest = (rest + part).split(b"\n")
                yield from (line.decode(errors="replace") for line in whole)
            if rest:
                yield rest.decode(errors="replace")
        except (HTTPError, OSError) as problem:
            raise unreachable(self.host, problem) from problem
        finally:
            answer.close()

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        body: Any,
        content: str,
        patience: float | None,
        more: Mapping[str, str] | None = None,
    ) -> Any:
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError

        address = f"{self.host}{path}{'?' + urlencode(query) if query else ''}"
        headers = {"Accept": "application/json, */*", **(more or {}), **self._credentials()}
        data = None
        if body is not None:
            headers["Content-Type"] = content
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            return self._pool.request(
                method,
                address,
                body=data,
                headers=headers,
                timeout=Timeout(connect=CONNECT_S, read=patience),
                preload_content=False,
                retries=False,
            )
        except (HTTPError, OSError) as problem:
            raise unreachable(self.host, problem) from problem

    def _credentials(self) -> dict[str, str]:
        """Asked each time, since a context's plugin may have renewed them."""
        settings = self._configuration.auth_settings().values()
        return {each["key"]: each["value"] for each in settings if each["in"] == "header" and each["value"]}
