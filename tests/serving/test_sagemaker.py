"""What SageMaker asks of a container: it is started with the word `serve`, and answers /ping and /invocations."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

SERVE = Path(__file__).parents[2] / "templates" / "docker" / "serve"
EXPLAIN = {"X-Amzn-SageMaker-Custom-Attributes": "explain=features"}


def test_one_basket_is_answered_as_predict_answers_it(server: Any, golden: list[dict[str, Any]]) -> None:
    for row in golden:
        asked = server.client.post("/invocations", json=row["basket"])
        assert asked.status_code == 200
        assert asked.json() == server.client.post("/predict", json=row["basket"]).json()


def test_many_baskets_are_answered_as_a_batch(server: Any, golden: list[dict[str, Any]]) -> None:
    body = {"baskets": [row["basket"] for row in golden]}
    assert (
        server.client.post("/invocations", json=body).json() == server.client.post("/predict/batch", json=body).json()
    )
    assert server.client.post("/invocations", json={"baskets": []}).json() == {"predictions": []}


def test_features_are_asked_for_in_a_header_since_sagemaker_passes_no_query_on(
    server: Any, golden: list[dict[str, Any]]
) -> None:
    row = golden[0]
    assert server.client.post("/invocations", json=row["basket"], headers=EXPLAIN).json()["features"] == row["features"]
    many = server.client.post("/invocations", json={"baskets": [row["basket"]]}, headers=EXPLAIN).json()
    assert many["predictions"][0]["features"] == row["features"]
    assert "features" not in server.client.post("/invocations?explain=features", json=row["basket"]).json()
    other = {"X-Amzn-SageMaker-Custom-Attributes": "trace=1"}
    assert "features" not in server.client.post("/invocations", json=row["basket"], headers=other).json()


def test_a_body_that_is_neither_is_refused_as_the_other_addresses_refuse_it(
    server: Any, basket: dict[str, Any]
) -> None:
    both = server.client.post("/invocations", json={**basket, "baskets": []})
    assert both.status_code == 422 and "baskets" not in both.text
    assert server.client.post("/invocations", json={"baskets": None}).status_code == 422
    assert (
        server.client.post("/invocations", content=b"{", headers={"content-type": "application/json"}).status_code
        == 400
    )
    assert server.client.get("/invocations").status_code == 405


def test_ping_says_whether_it_is_ready(server: Any) -> None:
    assert server.client.get("/ping").status_code == 200
    assert server.client.get("/ping").json() == server.client.get("/readyz").json()


def test_what_is_asked_there_is_counted_and_logged_like_all_else(
    start: Callable[..., Any], basket: dict[str, Any], wait: Any
) -> None:
    server = start()
    label = server.client.post("/invocations", json=basket).json()["prediction"]
    server.client.post("/invocations", json={"baskets": [basket] * 2})
    server.client.post("/invocations", json={"baskets": 1})
    assert server.metric('retailops_requests_total{route="/invocations",status="200"}') == 2
    assert server.metric('retailops_requests_total{route="/invocations",status="422"}') == 1
    assert server.metric(f'retailops_predictions_total{{prediction="{label}"}}') == 3
    wait(lambda: len(server.logged()) == 4)
    assert [each["status"] for each in server.logged()] == [200, 200, 200, 422]


def test_the_description_of_the_api_has_both_shapes(server: Any) -> None:
    described = server.client.get("/openapi.json").json()["paths"]["/invocations"]["post"]
    body = described["requestBody"]["content"]["application/json"]
    assert [each["$ref"].rpartition("/")[2] for each in body["schema"]["oneOf"]] == ["Basket", "Baskets"]
    answer = described["responses"]["200"]["content"]["application/json"]["schema"]
    assert [each["$ref"].rpartition("/")[2] for each in answer["oneOf"]] == ["Prediction", "Predictions"]
    assert server.client.post("/invocations", json=body["example"]).status_code == 200


def test_the_image_s_own_command_serves_what_its_environment_asks_for(
    bundle_folder: Path, tmp_path: Path, wait: Any, golden: list[dict[str, Any]]
) -> None:
    """As `docker run IMAGE serve`, which is all that SageMaker says; a container's paths are this machine's here."""
    place = f"--bundle={bundle_folder} --log-folder={tmp_path} --host=127.0.0.1 --port=0"
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "MODEL_VERSION": "3",
        "SERVING_ARGUMENTS": f"{place} --version=12 --max-baskets=2",
        "SAGEMAKER_REGION": "ap-southeast-1",
    }
    with (tmp_path / "out").open("wb") as output:
        command = ["/bin/sh", str(SERVE)]
        container = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:

        def port() -> list[str]:
            return re.findall(r"serves on 127\.0\.0\.1 port (\d+)", (tmp_path / "out").read_text())

        wait(lambda: bool(port()) or container.poll() is not None)
        assert port(), (tmp_path / "out").read_text()
        with httpx.Client(base_url=f"http://127.0.0.1:{port()[0]}", timeout=20, verify=False) as client:
            wait(lambda: client.get("/ping").status_code == 200)
            assert client.post("/invocations", json=golden[0]["basket"]).json()["model_version"] == 12
            assert client.post("/invocations", json={"baskets": [golden[0]["basket"]] * 3}).status_code == 422
    finally:
        container.terminate()  # as SageMaker ends it, to the server itself and not to a shell before it
    assert container.wait(20) == 0
