"""The kit for clusters counts rightly: a test that says "no request was lost" is as good as this."""

from __future__ import annotations

import copy
import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from clusters import Load, aged, batch, bodies, until
from clusters.cluster import quantity

BODY = b'{"basket_id": "b"}'


class Moody(ThreadingHTTPServer):
    """Answers as `mood` of the number of the request says: a status, None to hang up, or seconds to think."""

    daemon_threads = True

    def __init__(self, mood: Callable[[int], int | float | None]) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.mood, self.seen, self.lock, self.released = mood, 0, threading.Lock(), threading.Event()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that gave up


class Answering(BaseHTTPRequestHandler):
    server: Moody

    def do_POST(self) -> None:
        with self.server.lock:
            mood, self.server.seen = self.server.mood(self.server.seen), self.server.seen + 1
        assert self.rfile.read(int(self.headers["Content-Length"])) == BODY
        if mood is None:
            return
        if isinstance(mood, float):
            self.server.released.wait(mood)
            mood = 200
        told = json.dumps({"model_version": 3}).encode()
        self.send_response(mood)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def moody() -> Iterator[Callable[[Callable[[int], int | float | None]], Moody]]:
    started: list[Moody] = []

    def start(mood: Callable[[int], int | float | None]) -> Moody:
        started.append(Moody(mood))
        threading.Thread(target=started[-1].serve_forever, args=(0.01,)).start()
        return started[-1]

    yield start
    for each in started:
        each.released.set()
        each.shutdown()
        each.server_close()


def test_every_request_is_counted_and_every_failure_has_its_reason(moody: Callable[..., Moody]) -> None:
    server = moody(lambda number: None if number % 7 == 6 else 503 if number % 5 == 4 else 200)
    with Load(server.address, [BODY], rps=400) as running:
        until(lambda: running.total >= 100, 60)
    assert running.total == server.seen
    hung_up = sum(number % 7 == 6 for number in range(server.seen))
    refused = sum(number % 5 == 4 and number % 7 != 6 for number in range(server.seen))
    assert running.failed == hung_up + refused and running.versions == {3: running.total - running.failed}
    reasons = [each.reason for each in running.failures]
    assert sum("503" in each for each in reasons) == refused
    assert sum("RemoteDisconnected" in each for each in reasons) == hung_up
    assert f"requests {running.total} total / {running.failed} failed" in str(running)
    assert all(0 <= each.at_s <= running.seconds for each in running.failures)


def test_a_server_that_stands_still_gets_the_requests_nevertheless(moody: Callable[..., Moody]) -> None:
    server = moody(lambda number: 60.0 if number < 8 else 200)
    with Load(server.address, [BODY], rps=400) as running:
        until(lambda: running.total >= 50, 60)
        assert server.seen >= 58, "eight have no answer yet"
        server.released.set()
    assert running.total == server.seen and not running.failed


def test_who_does_not_answer_in_time_or_at_all_has_failed(moody: Callable[..., Moody]) -> None:
    server = moody(lambda number: 60.0)
    with Load(server.address, [BODY], rps=100, timeout_s=0.2) as running:
        until(lambda: running.total >= 3, 60)
    assert running.failed == running.total and "TimeoutError" in running.failures[0].reason
    with socketserver.TCPServer(("127.0.0.1", 0), Answering) as gone:
        free = gone.server_address[1]
    with Load(f"127.0.0.1:{free}", [BODY], rps=100) as running:
        until(lambda: running.total >= 3, 60)
    assert running.failed == running.total and "ConnectionRefusedError" in running.failures[0].reason


def test_bodies_are_baskets_that_a_server_of_the_bundle_takes(tmp_path: Path) -> None:
    rows = [{"basket": {"basket_id": str(each), "lines": [{}] * each}} for each in (1, 2, 900)]
    (tmp_path / "golden.json").write_text(json.dumps(rows))
    assert [json.loads(each)["basket_id"] for each in bodies(tmp_path)] == ["1", "2"]
    assert [each["basket_id"] for each in json.loads(batch(tmp_path, 3))["baskets"]] == ["1", "2", "1"]


def test_an_old_server_gets_what_it_knows_and_a_current_one_all_as_it_is() -> None:
    budget = {"apiVersion": "policy/v1", "spec": {"maxUnavailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow"}}
    objects = [budget, {"apiVersion": "autoscaling/v2", "spec": {"minReplicas": 2}}, {"apiVersion": "v1"}]
    before = copy.deepcopy(objects)
    old = aged(objects, {"v1", "policy/v1beta1", "autoscaling/v2beta2"})
    assert [each["apiVersion"] for each in old] == ["policy/v1beta1", "autoscaling/v2beta2", "v1"]
    assert old[0]["spec"] == {"maxUnavailable": 1}
    assert aged(objects, {"v1", "policy/v1", "autoscaling/v2"}) == before == objects


def test_amounts_of_kubernetes_are_numbers() -> None:
    assert [quantity(each) for each in ("250m", "2", "64Mi", "1500000n")] == [0.25, 2, 67108864, 0.0015]
