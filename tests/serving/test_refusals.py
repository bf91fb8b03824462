"""Every class of bad request: its status, a sentence that helps, and not a word of what was sent."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PATHS = ("/predict", "/predict/batch", "/invocations")
FIELDS = ("basket_id", "lines", "baskets", "prod_code", "quantity", "spend", "shop_hour", "store_region")
SECRET = "4929-1234-card-number"
LINE = {"prod_code": "PRD0900001", "quantity": 1, "spend": 1.5}


def basket(**changes: Any) -> dict[str, Any]:
    return {"basket_id": "1", "lines": [LINE], **changes}


def line(**changes: Any) -> dict[str, Any]:
    return basket(lines=[{**LINE, **changes}])


INVALID = {
    "not an object": [1, SECRET],
    "no lines": {"basket_id": "1"},
    "empty lines": basket(lines=[]),
    "an unknown field": basket(**{SECRET: 1}),
    "an unknown field of a line": line(**{SECRET: SECRET}),
    "a number as text": line(quantity=SECRET),
    "a fraction as quantity": line(quantity=1.5),
    "quantity 0": line(quantity=0),
    "a boolean as quantity": line(quantity=True),
    "spend as text": line(spend=SECRET),
    "an absurd spend": line(spend=1e12),
    "an empty product code": line(prod_code=""),
    "a product code without end": line(prod_code=SECRET * 100),
    "a weekday that doesn't exist": basket(shop_weekday=8),
    "an hour that doesn't exist": basket(shop_hour=24),
    "null lines": basket(lines=None),
    "a negative basket_id": basket(basket_id=-1),
    "a fraction as basket_id": basket(basket_id=9.9410010e14),
    "too many lines": basket(lines=[LINE] * 51),
}

MALFORMED = {
    "nothing": b"",
    "not JSON": b"card " + SECRET.encode(),
    "cut off": b'{"basket_id": "1", "lines": [{"prod_code"',
    "NaN": b'{"basket_id": "1", "lines": [{"prod_code": "P", "quantity": 1, "spend": NaN}]}',
    "Infinity": b'{"basket_id": "1", "lines": [{"prod_code": "P", "quantity": 1, "spend": Infinity}]}',
    "two documents": b'{"basket_id": "1", "lines": [{"prod_code": "P", "quantity": 1, "spend": 1}]}{}',
    "not UTF-8": b'{"basket_id": "\xff\xfe", "lines": []}',
    "half a surrogate": b'{"basket_id": "\\ud800", "lines": []}',
    "a comment": b"/* " + SECRET.encode() + b" */ {}",
}


def assert_refused(answer: httpx.Response, *statuses: int) -> dict[str, str]:
    assert answer.status_code in statuses, answer.text
    assert answer.headers["content-type"] == "application/json"
    error: dict[str, str] = answer.json()["error"]
    assert set(error) == {"what", "fix"}
    assert all(error.values())
    assert SECRET not in answer.text
    assert len(answer.text) < 500
    return error


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", INVALID)
def test_json_that_isnt_a_basket_is_422(server: Any, path: str, name: str) -> None:
    body = INVALID[name] if path == "/predict" else {"baskets": [basket(), INVALID[name]]}
    error = assert_refused(server.client.post(path, json=body), 422)
    if path != "/predict":
        assert "$.baskets[1]" in error["what"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", MALFORMED)
def test_what_isnt_json_is_400(server: Any, path: str, name: str) -> None:
    body = (
        MALFORMED[name]
        if path == "/predict"
        else MALFORMED[name].replace(b'{"basket_id"', b'{"baskets":[{"basket_id"').replace(b"}{}", b"}]}{}")
    )
    headers = {"content-type": "application/json"}
    assert_refused(server.client.post(path, content=body, headers=headers), 400)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda below: (
        st.lists(below, max_size=4) | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=9), below, max_size=5)
    ),
    max_leaves=12,
)


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=JSON | st.dictionaries(st.sampled_from(FIELDS), JSON, min_size=2), path=st.sampled_from(PATHS))
def test_no_json_makes_the_server_fail(server: Any, body: Any, path: str) -> None:
    text = json.dumps(body)  # with NaN and Infinity among it
    answer = server.client.post(path, content=text, headers={"content-type": "application/json"})
    assert answer.status_code in (200, 400, 422), (text, answer.text)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 400, "0." + "9" * 100_000, "9" * 100_000])
def test_a_number_beyond_all_bounds_is_refused(server: Any, number: str) -> None:
    for field in ("spend", "quantity"):
        body = json.dumps(line(**{field: 12345})).replace("12345", number)
        headers = {"content-type": "application/json"}
        answer = server.client.post("/predict", content=body, headers=headers)
        if not (field == "spend" and number.startswith("0.")):
            assert_refused(answer, 400, 422)


def test_deep_nesting_is_refused_and_the_server_lives(server: Any) -> None:
    for opening in (b"[" * 200_000, b'{"lines":' * 20_000, b'{"basket_id":"1","lines":' + b"[" * 200_000):
        headers = {"content-type": "application/json"}
        assert_refused(server.client.post("/predict", content=opening, headers=headers), 400, 422)
    assert server.client.get("/healthz").status_code == 200


def test_the_refusal_says_where_and_what_was_expected(server: Any) -> None:
    error = assert_refused(server.client.post("/predict", json=line(quantity="2")), 422)
    assert error["what"] == "Expected int, got str at $.lines[0].quantity."


def test_of_a_repeated_key_the_last_counts(server: Any) -> None:
    body = b'{"basket_id": "1", "basket_id": "2", "lines": [{"prod_code": "P", "quantity": 1, "spend": 1}]}'
    answer = server.client.post("/predict", content=body, headers={"content-type": "application/json"})
    assert answer.json()["basket_id"] == "2"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_another_method_is_405_and_post_is_named(server: Any, path: str, method: str) -> None:
    answer = server.client.request(method, path)
    assert_refused(answer, 405)
    assert answer.headers["allow"] == "POST"


def test_a_method_that_another_route_lacks_is_405(server: Any) -> None:
    assert_refused(server.client.post("/healthz"), 405)


@pytest.mark.parametrize("path", ["/nothing", "/predict/", "/predict/batch/x", "/../etc/passwd", "/docs/x"])
def test_a_path_that_isnt_there_is_404(server: Any, path: str) -> None:
    assert_refused(server.client.get(path), 404)


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
def test_a_body_that_isnt_declared_as_plain_json_is_415(server: Any, headers: dict[str, str]) -> None:
    assert_refused(server.client.post("/predict", content=json.dumps(basket()), headers=headers), 415)


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8", "application/problem+json"])
def test_json_by_any_of_its_names_is_taken(server: Any, kind: str) -> None:
    headers = {"content-type": kind}
    assert server.client.post("/predict", content=json.dumps(basket()), headers=headers).status_code == 200


def test_a_body_beyond_the_limit_is_413_declared_or_not(server: Any) -> None:
    large = json.dumps(basket(lines=[LINE] * 10_000)).encode()
    headers = {"content-type": "application/json"}
    assert_refused(server.client.post("/predict", content=large, headers=headers), 413)

    def pieces() -> Any:
        for start in range(0, len(large), 10_000):
            yield large[start : start + 10_000]

    assert_refused(server.client.post("/predict", content=pieces(), headers=headers), 413)


def test_a_batch_beyond_the_limit_is_refused_with_both_numbers(server: Any) -> None:
    error = assert_refused(server.client.post("/predict/batch", json={"baskets": [basket()] * 201}), 422)
    assert "201" in error["what"]
    assert "200" in error["what"]


def receive_all(sock: socket.socket) -> bytes:
    received = b""
    while part := sock.recv(65536):
        received += part
    return received


HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def test_a_body_that_doesnt_come_is_408_and_the_connection_is_closed(server: Any) -> None:
    with server.connect() as sock:
        began = time.monotonic()
        sock.sendall(HEAD + b"Content-Length: 100\r\n\r\n" + b'{"basket_id"')
        answer = receive_all(sock)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close" in answer
        assert time.monotonic() - began < 5


def test_a_body_that_trickles_is_408_too(server: Any) -> None:
    with server.connect() as sock:
        sock.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        sock.settimeout(0.05)
        answer = b""
        deadline = time.monotonic() + 10
        while b"\r\n\r\n" not in answer and time.monotonic() < deadline:
            try:
                sock.sendall(b"1\r\n \r\n")
                answer += sock.recv(65536)
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_client_that_hangs_up_in_its_body_harms_nobody(server: Any) -> None:
    for _ in range(5):
        with server.connect() as sock:
            sock.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
    assert server.client.post("/predict", json=basket()).status_code == 200


def test_what_isnt_http_is_refused(server: Any) -> None:
    with server.connect() as sock:
        sock.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        head, _, body = receive_all(sock).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert set(json.loads(body)["error"]) == {"what", "fix"}


def test_headers_without_end_are_431(server: Any) -> None:
    with server.connect() as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ")
        answer = b""
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                sock.sendall(b"a" * 10_000)
        with contextlib.suppress(ConnectionError):
            answer = receive_all(sock)
        assert answer.startswith(b"HTTP/1.1 431 ") or not answer  # a reset may outrun the answer
    assert server.client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("asks_first", "beginning"), [(False, b""), (False, b"POST /predict HTT"), (True, b"POST /predict HTT")]
)
def test_a_head_that_never_ends_loses_its_connection(server: Any, asks_first: bool, beginning: bytes) -> None:
    with server.connect() as sock:
        if asks_first:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")
        sock.sendall(beginning)
        assert b"HTTP/1.1" not in receive_all(sock)  # returns when the server has hung up


def test_a_refused_request_leaves_the_connection_usable(server: Any) -> None:
    with httpx.Client(base_url=server.url) as client:
        for _ in range(3):
            assert client.post("/predict", json=line(quantity=0)).status_code == 422
            assert client.post("/predict", json=basket()).status_code == 200


def test_pipelined_requests_are_answered_in_order(server: Any) -> None:
    with server.connect() as sock:
        for number in ("1", "2", "3"):
            body = json.dumps(basket(basket_id=number)).encode()
            sock.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        received = b""
        while received.count(b"basket_id") < 3:
            part = sock.recv(65536)
            assert part
            received += part
        assert [received.index(b'"basket_id":"%d"' % number) for number in (1, 2, 3)] == sorted(
            received.index(b'"basket_id":"%d"' % number) for number in (1, 2, 3)
        )


def test_expect_continue_is_honoured(server: Any) -> None:
    body = json.dumps(basket()).encode()
    with server.connect() as sock:
        sock.sendall(HEAD + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert sock.recv(65536).startswith(b"HTTP/1.1 100 ")
        sock.sendall(body)
        assert b"200 OK" in receive_all(sock)


def test_refusals_are_logged_and_counted_without_what_was_sent(
    start: Callable[..., Any], wait: Callable[[Callable[[], bool]], None]
) -> None:
    server = start()
    server.client.post("/predict", json=line(**{SECRET: SECRET}))
    server.client.post("/predict", content=f'{{"{SECRET}', headers={"content-type": "application/json"})
    wait(lambda: len(server.logged()) == 2)
    assert [entry["status"] for entry in server.logged()] == [422, 400]
    assert all(entry["what"] and entry["route"] == "/predict" for entry in server.logged())
    for path in server.logs.iterdir():
        assert SECRET not in path.read_text()
    assert server.metric('retailops_requests_total{route="/predict",status="422"}') == 1
    assert server.metric('retailops_requests_total{route="/predict",status="400"}') == 1
