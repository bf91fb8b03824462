"""Views of deploy, rollback, serve, monitor and logs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from retailops.cli.views.layout import facts, gate_table, number, percent, show, table, title, verdict
from retailops.cli.views.status import pods_table

Result = Mapping[str, Any]


def deployed(console: Console, result: Result) -> None:
    """The address, and the proof that it answers as it should."""
    endpoint = result["endpoint"]
    if endpoint is None:
        console.print(verdict(False, "", f"version {result['version']} isn't deployed; nothing was changed"))
        return
    if result.get("gates"):
        show(console, gate_table(result["gates"]))
        console.print()
    _on_cluster(console, endpoint)
    address(console, endpoint)


def _on_cluster(console: Console, endpoint: Result) -> None:
    """The pods, and what was seen of them under traffic; nothing where it serves without a cluster."""
    baked = endpoint.get("bake")
    if endpoint.get("pods"):
        show(console, pods_table(endpoint["pods"]))
        console.print()
    if not baked or not baked["seconds"]:
        return
    requests = number(baked["requests"])
    title(console, f"Under traffic for {number(baked['seconds'])} seconds", f"{requests} requests")
    show(console, gate_table(baked["gates"]))
    for each in baked["unjudged"]:
        console.print(Text(f"  not judged: {each}", style="yellow"), soft_wrap=True)
    console.print()


def rendered(console: Console, result: Result) -> None:
    """What was written, file by file, in the order of applying."""
    title(console, f"Version {result['version']}, written and not applied", result["folder"])
    made = table("file", "kind", "name")
    for each in result["objects"]:
        made.add_row(each["file"], each["kind"], each["name"])
    show(console, made)


def address(console: Console, endpoint: Result, request: Result | None = None) -> None:
    """Where the API is, and a line to try it with, whole and on a line of its own so that it can be copied."""
    console.print(verdict(True, f"version {endpoint['version']} is live"), Text(endpoint["url"], style="bold"))
    if endpoint.get("reach"):
        console.print("\nreach it from here:", style="dim")
        console.print(endpoint["reach"], soft_wrap=True)
    if request:
        place = "http://127.0.0.1:8080" if endpoint.get("reach") else endpoint["url"]
        body = shlex.quote(json.dumps(request, separators=(",", ":")))
        console.print("\ntry it:", style="dim")
        ask = endpoint.get("ask") or f"curl -s {place}/predict -H 'content-type: application/json' -d"
        console.print(f"{ask} {body}", soft_wrap=True)


def served(console: Console, result: Result) -> None:
    title(console, f"Version {result['version']} was served", result["url"])


def rolled_back(console: Console, result: Result) -> None:
    """From which version to which, the proof, and what went back with it."""
    endpoint = result["endpoint"]
    if endpoint is None:
        console.print(verdict(False, "", f"not rolled back; version {result['from']} goes on serving"))
        return
    if result["gates"]:
        show(console, gate_table(result["gates"]))
        console.print()
    _on_cluster(console, endpoint)
    address(console, endpoint)
    console.print()
    reverted = result["reverted"]
    if result["repeated"]:
        others = ", ".join(map(str, result["served_before"]))
        console.print(f"  It was live already, so nothing changed.{f' Others: --to {others}' if others else ''}")
    else:
        config = [f"{key} {number(each['from'])} → {number(each['to'])}" for key, each in reverted["config"].items()]
        facts(
            console,
            {
                "version": f"{result['from']} → {result['to']}",
                "model": f"bundle {reverted['model'][:16]}",
                "config": ", ".join(config) or "the same as before",
                "features": f"product, of bundle {reverted['features']}" if reverted["features"] else None,
            },
        )
    unlike = result["unlike_retail_yaml"]
    if unlike:
        keys = ", ".join(f"{key} (there {number(each['file'])})" for key, each in unlike.items())
        console.print(f"  Not as retail.yaml has it: {keys}. The next deploy takes the file's.", soft_wrap=True)


def monitored(console: Console, result: Result) -> None:
    """The window's readings beside their gates, then what drifts most."""
    title(console, f"Version {result['version']}, last {number(result['window_hours'])} hours", result["url"])
    if result["gates"]:
        show(console, gate_table(result["gates"]))
    console.print()
    latency = result["latency_ms"]
    facts(
        console,
        {
            "requests": result["requests"],
            "answers": ", ".join(f"{status}: {number(count)}" for status, count in result["statuses"].items()),
            "latency": ", ".join(f"{name} {number(value)} ms" for name, value in latency.items()) or None,
            "coverage": percent(result["coverage"]),
        },
    )
    if result["predictions"]:
        show(console, _mix_table(result))
        show(console, _drift_table(result["psi"]))
    console.print()
    facts(console, {"report": result["report"]})


def _mix_table(result: Result) -> Table:
    made = table("prediction", "served", "training", numbers=["served", "training"])
    for label, part in result["mix"].items():
        made.add_row(label, percent(part), percent(result["training_mix"].get(label)))
    return made


def _drift_table(psi: Result, most: int = 6) -> Table:
    made = table("drifts most", "PSI", numbers=["PSI"])
    for name, value in sorted(psi.items(), key=lambda item: -item[1])[:most]:
        made.add_row(name, number(value))
    return made


def lines(console: Console, result: Result) -> None:
    for line in result["lines"]:
        console.print(line, soft_wrap=True)
