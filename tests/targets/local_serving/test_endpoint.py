"""The local endpoint: rolling over from version to version, moving, logs and removal; real processes, real requests."""

from __future__ import annotations

import http.client
import json
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from retailops.errors import NotReady
from retailops.progress import Silent

Settled = Callable[[Callable[[], bool]], None]


def test_nothing_is_deployed_at_first(place: Any) -> None:
    serving = place.serving()
    assert serving.endpoint() is None
    assert serving.removals() == []
    with pytest.raises(NotReady, match="Nothing is deployed"):
        list(serving.logs(10, follow=False))


def test_a_version_goes_live_and_the_next_replaces_it(place: Any, settled: Settled) -> None:
    serving = place.serving()
    first = serving.roll_out(place.model(1), Silent())
    assert (first.version, first.state, first.url) == (1, "ready", f"http://127.0.0.1:{place.port}")
    assert place.version == 1
    old = place.record
    second = serving.roll_out(place.model(2), Silent())
    assert (second.version, second.state) == (2, "ready")
    assert place.version == 2
    settled(lambda: place.servers == {place.record.pid})
    settled(lambda: not old.alive)


def test_the_endpoint_tells_what_was_proved(place: Any) -> None:
    detail = place.serving().roll_out(place.model(1), Silent()).detail
    assert detail["algorithm"] == json.loads((place.bundle / "card.json").read_text())["algorithm"]
    assert detail["p95_ms"] > 0
    assert detail["requests_per_s"] > 0


def test_proving_leaves_no_trace_in_log_and_metrics(place: Any) -> None:
    place.serving().roll_out(place.model(1), Silent())
    place.serving().roll_out(place.model(1), Silent())
    place.ask()
    connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=20)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    assert 'retailops_requests_total{route="/predict",status="200"} 1\n' in text
    place.serving().remove()
    (log,) = (place.workspace / "serving" / "logs").glob("predictions-*.jsonl")
    assert len(log.read_text().splitlines()) == 1


def test_the_version_that_is_live_is_proved_again_and_kept(place: Any) -> None:
    place.serving().roll_out(place.model(1), Silent())
    pid = place.record.pid
    assert place.serving().roll_out(place.model(1), Silent()).version == 1
    assert place.record.pid == pid


@pytest.mark.slow
def test_changed_limits_need_a_new_process(place: Any) -> None:
    place.serving().roll_out(place.model(1), Silent())
    pid = place.record.pid
    place.serving(max_lines=77).roll_out(place.model(1), Silent())
    assert place.record.pid != pid


def test_the_endpoint_can_move_to_another_port(place: Any, settled: Settled) -> None:
    place.serving().roll_out(place.model(1), Silent())
    old, place.port = place.port, place.free_port()
    place.serving().roll_out(place.model(1), Silent())
    assert place.version == 1
    settled(lambda: place.refuses(old))


def test_port_0_becomes_a_port_and_stays_it(place: Any) -> None:
    first = place.serving(port=0).roll_out(place.model(1), Silent())
    assert place.serving(port=0).roll_out(place.model(2), Silent()).url == first.url
    place.port = place.record.port
    place.kill(place.record.pid)
    assert place.serving(port=0).roll_out(place.model(3), Silent()).url == first.url
    assert place.version == 3


def test_a_second_deploy_at_the_same_time_is_told_who_is_first(place: Any) -> None:
    told: list[str] = []

    def second() -> None:
        with pytest.raises(NotReady) as caught:
            place.serving().roll_out(place.model(2), Silent())
        told.append(caught.value.what)

    place.serving().roll_out(place.model(1), place.at("proving", second))
    assert "deploy of version 1" in told[0]
    assert place.version == 1


def test_logs_give_the_last_lines_and_follow(place: Any) -> None:
    place.serving().roll_out(place.model(1), Silent())
    (last,) = place.serving().logs(1, follow=False)
    assert "Model version 1 serves" in last
    os.kill(place.record.pid, signal.SIGTERM)
    assert any("has left" in line for line in place.serving().logs(0, follow=True))


def test_removal_lists_and_ends_the_processes_and_twice_is_harmless(place: Any) -> None:
    serving = place.serving()
    serving.roll_out(place.model(1), Silent())
    (change,) = serving.removals()
    assert (change.action, change.kind, change.name) == ("delete", "process", "server of version 1")
    assert change.detail == f"process {place.record.pid}"
    assert [left.action for left in serving.left()] == ["left"]
    for _ in range(2):
        serving.remove()
        assert serving.left() == []
        assert serving.removals() == []
        assert serving.endpoint() is None
    assert place.refuses(place.port)


def test_what_is_left_is_seen_without_our_records(place: Any) -> None:
    serving = place.serving()
    serving.roll_out(place.model(1), Silent())
    pid = place.record.pid
    (place.workspace / "serving" / "endpoint.json").unlink()
    assert [change.detail for change in serving.left()] == [f"process {pid}"]
    serving.remove()
    assert serving.left() == []


@pytest.mark.slow
def test_a_workspace_with_a_long_path_works_too(place: Any) -> None:
    place.workspace = place.workspace / ("long-" * 40)  # longer than the path of a unix socket may be
    place.workspace.mkdir(parents=True)
    try:
        place.serving().roll_out(place.model(1), Silent())
        place.serving().roll_out(place.model(2), Silent())
        assert place.version == 2
    finally:
        place.serving().remove()
