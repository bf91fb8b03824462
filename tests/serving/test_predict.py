"""What a client gets for a good request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

WORDS = {"LA": "High", "MM": "Medium", "UM": "Low"}


def test_golden_baskets_come_out_over_http_as_they_did_in_training(server: Any, golden: list[dict[str, Any]]) -> None:
    for row in golden:
        answer = server.client.post("/predict?explain=features", json=row["basket"]).json()
        assert answer["features"] == row["features"]
        assert answer["prediction"] == row["prediction"]
        assert answer["probabilities"] == pytest.approx(row["probabilities"], abs=1e-5)


def test_an_answer_says_class_word_probabilities_coverage_and_version(server: Any, basket: dict[str, Any]) -> None:
    answer = server.client.post("/predict", json=basket)
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"basket_id", "prediction", "sensitivity", "probabilities", "coverage", "model_version"}
    assert body["basket_id"] == basket["basket_id"]
    assert body["sensitivity"] == WORDS[body["prediction"]]
    assert sum(body["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert max(body["probabilities"], key=body["probabilities"].get) == body["prediction"].lower()
    assert body["model_version"] == 7


def test_a_batch_gives_the_same_answers_in_its_order(server: Any, golden: list[dict[str, Any]]) -> None:
    baskets = [row["basket"] for row in golden] * 5
    many = server.client.post("/predict/batch", json={"baskets": baskets}).json()["predictions"]
    assert [each["basket_id"] for each in many] == [each["basket_id"] for each in baskets]
    for row, each in zip(golden * 5, many, strict=True):
        assert each["prediction"] == row["prediction"]
        assert each["probabilities"] == pytest.approx(row["probabilities"], abs=1e-5)


def test_a_batch_explains_itself_too(server: Any, golden: list[dict[str, Any]]) -> None:
    baskets = [row["basket"] for row in golden]
    many = server.client.post("/predict/batch?explain=features", json={"baskets": baskets}).json()["predictions"]
    assert [each["features"] for each in many] == [row["features"] for row in golden]


def test_an_empty_batch_has_an_empty_answer(server: Any) -> None:
    assert server.client.post("/predict/batch", json={"baskets": []}).json() == {"predictions": []}


def test_an_unknown_product_lowers_the_coverage_and_nothing_else_fails(server: Any, basket: dict[str, Any]) -> None:
    basket["lines"] = [*basket["lines"][:1], {"prod_code": "NOBODY-KNOWS-IT", "quantity": 1, "spend": 2.5}]
    known = server.client.post("/predict", json={**basket, "lines": basket["lines"][:1]}).json()["coverage"]
    both = server.client.post("/predict", json=basket).json()["coverage"]
    assert both == pytest.approx(known / 2)


def test_a_basket_id_may_be_a_number_as_in_the_files(server: Any, basket: dict[str, Any]) -> None:
    answer = server.client.post("/predict", json={**basket, "basket_id": 994100100000001})
    assert answer.status_code == 200
    assert answer.json()["basket_id"] == "994100100000001"


def test_only_the_lines_are_needed(server: Any, basket: dict[str, Any]) -> None:
    bare = {"basket_id": "1", "lines": basket["lines"]}
    assert server.client.post("/predict", json=bare).status_code == 200


def test_the_order_of_lines_doesnt_matter(server: Any, golden: list[dict[str, Any]]) -> None:
    row = max(golden, key=lambda each: len(each["basket"]["lines"]))
    backwards = {**row["basket"], "lines": row["basket"]["lines"][::-1]}
    assert server.client.post("/predict?explain=features", json=backwards).json()["features"] == row["features"]


def test_each_basket_is_logged_once_with_what_monitoring_needs(
    start: Callable[..., Any], basket: dict[str, Any], wait: Callable[[Callable[[], bool]], None]
) -> None:
    server = start()
    single = server.client.post("/predict?explain=features", json=basket).json()
    server.client.post("/predict/batch", json={"baskets": [basket, {**basket, "basket_id": "second"}]})
    wait(lambda: len(server.logged()) == 3)
    first, _, last = server.logged()
    assert last["basket_id"] == "second"
    assert first["features"] == single["features"]
    assert first["probabilities"] == single["probabilities"]
    assert (first["version"], first["status"], first["coverage"]) == (7, 200, single["coverage"])
    assert first["latency_ms"] > 0
    assert first["time"].endswith("Z")
    assert len(first["time"]) == len("2006-04-10T08:00:00.000Z")


def test_the_log_is_complete_after_the_server_was_told_to_leave(
    start: Callable[..., Any], basket: dict[str, Any]
) -> None:
    server = start("--drain-s", "0")
    baskets = [{**basket, "basket_id": str(number)} for number in range(300)]
    server.client.post("/predict/batch", json={"baskets": baskets})
    server.process.terminate()
    assert server.process.wait(timeout=30) == 0
    assert [line["basket_id"] for line in server.logged()] == [each["basket_id"] for each in baskets]
