"""status and rollback on the screen: whole lines of 80 columns, and words for what colour says."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from retailops.cli.views.live import rolled_back
from retailops.cli.views.status import status

POD = {"step": "ready", "ready": True, "restarts": 0, "zone": "ap-southeast-1a", "trouble": ""}
ENDPOINT: dict[str, Any] = {
    "url": "https://api.shop.example",
    "address": "k8s-retail-api-0123456789.ap-southeast-1.elb.amazonaws.com",
    "version": 2,
    "state": "ready",
    "since": "2026-01-02T03:04:05+00:00",
    "pods": [
        {
            **POD,
            "pod": "api-7d9f8b6c5d-abcde",
            "version": 2,
            "node": "ip-10-20-101-231.ap-southeast-1.compute.internal",
        },
        {**POD, "pod": "api-7d9f8b6c5d-fghij", "version": 2, "node": "", "zone": "", "step": "waiting for a node"},
        {**POD, "pod": "api-7d9f8b6c5d-klmno", "version": 2, "node": "node-2.local", "zone": ""},
    ],
    "scaling": {"min": 2, "max": 6, "current": 2, "desired": 3, "cpu_percent": 81, "cpu_target_percent": 70},
}
STATUS: dict[str, Any] = {
    "project": "retail-demo",
    "dataset": "d1",
    "features": {},
    "newest_version": 3,
    "endpoint": ENDPOINT,
    "served_before": [{"version": 1, "since": "2026-01-01T00:00:00+00:00"}],
    "findings": [{"check": "newer version", "state": "warning", "what": "Version 3 waits.", "fix": "retailops deploy"}],
}


def shown(view: Any, result: dict[str, Any]) -> str:
    out = io.StringIO()
    view(Console(file=out, width=80), result)
    return out.getvalue()


def test_pods_are_a_table_of_80_columns_with_the_autoscaler_above() -> None:
    text = shown(status, STATUS)
    assert "2 of 2 to 6, 3 wanted; CPU 81 %, more from 70 % on" in text
    assert "version 1" in text and "elb.amazonaws.com" in text
    rows = [line for line in text.splitlines() if "api-7d9f8b6c5d-" in line]
    assert "ap-southeast-1a" in rows[0] and "waiting for a node" in rows[1] and " node-2" in rows[2]
    assert all(len(line) <= 80 for line in rows)
    assert "! Version 3 waits.\n    → retailops deploy" in text


def test_a_local_endpoint_has_neither_pods_nor_scaling() -> None:
    plain = {key: value for key, value in ENDPOINT.items() if key not in ("pods", "scaling", "address")}
    text = shown(status, {**STATUS, "endpoint": plain, "findings": []})
    assert "pods" not in text and "!" not in text


def test_a_rollback_says_what_went_back_and_what_the_next_deploy_does() -> None:
    result: dict[str, Any] = {
        "from": 2,
        "to": 1,
        "repeated": False,
        "endpoint": {**ENDPOINT, "version": 1},
        "gates": [{"name": "P95 ms", "value": 0.3, "limit": 200.0, "direction": "at most", "ok": True}],
        "reverted": {
            "model": "beef" * 16,
            "config": {"deploy.max_lines": {"from": 77, "to": 400}},
            "features": "beef" * 4,
        },
        "unlike_retail_yaml": {"deploy.max_lines": {"live": 400, "file": 77}},
        "served_before": [2],
    }
    text = shown(rolled_back, result)
    assert "✔ version 1 is live" in text and "2 → 1" in text and "deploy.max_lines 77 → 400" in text
    assert "Not as retail.yaml has it: deploy.max_lines (there 77). The next deploy takes the file's." in text
    again = shown(rolled_back, {**result, "repeated": True, "unlike_retail_yaml": {}})
    assert "It was live already, so nothing changed. Others: --to 2" in again and "Not as" not in again
    refused = shown(rolled_back, {"from": 2, "to": None, "endpoint": None, "gates": []})
    assert "not rolled back; version 2 goes on serving" in refused
