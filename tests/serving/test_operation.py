"""Health, metrics, documentation, and leaving."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

Wait = Callable[[Callable[[], bool]], None]


def test_the_server_is_alive_ready_and_says_where_to_go(server: Any) -> None:
    assert server.client.get("/healthz").json() == {"status": "alive"}
    assert server.client.get("/readyz").json() == {"status": "ready", "model_version": 7}
    for route in server.client.get("/").json()["routes"]:
        assert server.client.get(route).status_code in (200, 405), route


def test_the_model_card_is_the_bundles(server: Any, bundle_folder: Path) -> None:
    model = server.client.get("/model").json()
    assert model["model_version"] == 7
    assert model["bundle_hash"] == json.loads((bundle_folder / "manifest.json").read_text())["hash"]
    assert model["card"] == json.loads((bundle_folder / "card.json").read_text())


def test_metrics_count_requests_predictions_and_coverage(start: Callable[..., Any], basket: dict[str, Any]) -> None:
    server = start()
    answers = [server.client.post("/predict", json=basket).json() for _ in range(3)]
    server.client.post("/predict/batch", json={"baskets": [basket] * 4})
    label = answers[0]["prediction"]
    assert server.metric('retailops_requests_total{route="/predict",status="200"}') == 3
    assert server.metric('retailops_requests_total{route="/predict/batch",status="200"}') == 1
    assert server.metric('retailops_request_seconds_bucket{route="/predict",le="+Inf"}') == 3
    assert server.metric('retailops_request_seconds_count{route="/predict"}') == 3
    assert server.metric(f'retailops_predictions_total{{prediction="{label}"}}') == 7
    assert server.metric("retailops_coverage_count") == 7
    assert server.metric("retailops_coverage_sum") == pytest.approx(7 * answers[0]["coverage"])
    assert server.metric("retailops_log_dropped_total") == 0
    assert server.metric("retailops_ready") == 1


def test_metrics_are_in_the_text_format(server: Any) -> None:
    answer = server.client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    sample = re.compile(r'[a-z_]+(\{([a-z_]+="[^"\n]*",?)+\})? [\d.e+-]+')
    for line in answer.text.splitlines():
        assert line.startswith(("# HELP ", "# TYPE ")) or sample.fullmatch(line), line


def test_a_path_from_outside_never_becomes_a_metric(server: Any) -> None:
    server.client.get("/made-up-by-a-stranger")
    assert "made-up" not in server.client.get("/metrics").text


def test_openapi_describes_what_is_really_taken(server: Any, golden: list[dict[str, Any]]) -> None:
    document = server.client.get("/openapi.json").json()
    operation = document["paths"]["/predict"]["post"]
    body = operation["requestBody"]["content"]["application/json"]
    assert server.client.post("/predict", json=body["example"]).status_code == 200
    many = document["paths"]["/predict/batch"]["post"]["requestBody"]["content"]["application/json"]
    assert server.client.post("/predict/batch", json=many["example"]).status_code == 200
    schemas = document["components"]["schemas"]
    basket = schemas["Basket"]
    assert body["schema"] == {"$ref": "#/components/schemas/Basket"}
    assert set(basket["required"]) == {"basket_id", "lines"}
    assert basket["additionalProperties"] is False
    assert set(golden[0]["basket"]) <= set(basket["properties"])
    assert schemas["Line"]["properties"]["quantity"]["minimum"] == 1
    for reference in re.findall(r"#/components/schemas/(\w+)", json.dumps(document)):
        assert reference in schemas


def test_the_docs_page_needs_nobody_else(server: Any) -> None:
    page = server.client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?:https?:)?//""", page.text)
    assert "@import" not in page.text
    assert "openapi.json" in page.text


@pytest.mark.slow
def test_a_leaving_server_isnt_ready_and_closes_each_connection_politely(
    start: Callable[..., Any], basket: dict[str, Any], wait: Wait
) -> None:
    server = start("--drain-s", "2")
    with httpx.Client(base_url=server.url) as client:
        assert "connection" not in client.post("/predict", json=basket).headers
        server.process.terminate()
        wait(lambda: client.get("/readyz").status_code == 503)
        answer = client.post("/predict", json=basket)
        assert answer.status_code == 200
        assert answer.headers["connection"] == "close"
        assert client.get("/readyz").json()["status"] == "draining"
    assert server.process.wait(timeout=30) == 0


def test_a_request_in_flight_is_finished_before_the_server_leaves(
    start: Callable[..., Any], basket: dict[str, Any], wait: Wait
) -> None:
    server = start("--drain-s", "0")
    body = json.dumps(basket).encode()
    with server.connect() as sock:
        sock.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
        sock.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body[:20])
        wait(lambda: server.client.get("/healthz").status_code == 200)
        server.process.send_signal(signal.SIGINT)
        wait(lambda: "Leaving" in (server.logs / "server.log").read_text())
        sock.sendall(body[20:])
        assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert server.process.wait(timeout=30) == 0


@pytest.mark.slow
def test_keep_alive_clients_lose_nothing_when_the_server_leaves(
    start: Callable[..., Any], basket: dict[str, Any], wait: Wait
) -> None:
    server = start("--drain-s", "2")
    told, lost, answered = threading.Event(), [], [0]

    def ask() -> None:
        with httpx.Client(base_url=server.url) as client:
            while True:
                try:
                    answer = client.post("/predict", json=basket)
                except httpx.HTTPError as error:
                    lost.append(repr(error))
                    return
                answered[0] += 1
                if answer.status_code != 200:
                    lost.append(str(answer.status_code))
                if answer.headers.get("connection") == "close" and told.is_set():
                    return

    clients = [threading.Thread(target=ask) for _ in range(4)]
    for client in clients:
        client.start()
    wait(lambda: answered[0] > 50)
    told.set()
    server.process.terminate()
    for client in clients:
        client.join(timeout=30)
    assert not lost
    assert server.process.wait(timeout=30) == 0


def test_a_changed_bundle_is_refused_and_the_file_is_named(bundle_folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "bundle"
    shutil.copytree(bundle_folder, broken)
    model = broken / "model.onnx"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    command = [sys.executable, "-m", "retailops.serving", "--bundle", str(broken), "--version", "1", "--port", "0"]
    ended = subprocess.run([*command, "--log-folder", str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 5
    assert "model.onnx" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_taken_port_is_named(server: Any, bundle_folder: Path, tmp_path: Path) -> None:
    port = str(server.address[1])
    command = [
        sys.executable,
        "-m",
        "retailops.serving",
        "--bundle",
        str(bundle_folder),
        "--version",
        "1",
        "--port",
        port,
    ]
    ended = subprocess.run([*command, "--log-folder", str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 5
    assert f"Port {port}" in ended.stderr
    assert "deploy.port" in ended.stderr


def test_the_server_imports_no_training_library() -> None:
    code = "import retailops.serving.server, retailops.serving.handover, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    heavy = {
        "pandas",
        "sklearn",
        "scipy",
        "duckdb",
        "pyarrow",
        "mlflow",
        "matplotlib",
        "typer",
        "rich",
        "yaml",
        "psutil",
    }
    assert not heavy & set(loaded.split())
