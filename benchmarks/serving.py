"""What the server costs beside the limit of its HTTP stack: a bare ASGI POST on uvicorn, in the same run.

    python benchmarks/serving.py [--bundle FOLDER] [--repetitions 5] [--seconds 3] [--connections 16] [--json]

Both servers run side by side on one core and are loaded in turn from another (where there are two), by wrk if it is
installed and by a small asyncio client otherwise. The request is a basket of 8 lines. Without --bundle a model is
trained on synthetic data first. Compare ratios of one run, never absolute figures of two.

The ratio is taken twice, by requests/s and by CPU time a request, and the smaller one counts: where the machine is busy
and the load falls short, requests/s alone flatter the slower server.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

LINES = 8
_BODY = b'{"prediction":"MM"}'
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_BODY))]
BAR, MOONSHOT = 0.08, 0.30


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The limit: reads a body and answers, nothing else."""
    while (await receive()).get("more_body", False):
        continue
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _BODY})


def main() -> None:
    parser = argparse.ArgumentParser(description="The server beside a bare ASGI POST.")
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bundle = (given.bundle or train(folder)).absolute()
        result = measure(bundle, folder, given.repetitions, given.seconds, given.connections)
    sys.stdout.write((json.dumps(result, indent=2, sort_keys=True) if given.json else table(result)) + "\n")


def measure(bundle: Path, folder: Path, repetitions: int, seconds: int, connections: int) -> dict[str, Any]:
    """Interleaved repetitions of both servers; medians."""
    body = request_body(bundle)
    names = ("bare", "retailops")
    starts = {name: [cold_start(name, bundle, folder, body) for _ in range(repetitions)] for name in names}
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with server("bare", bundle, folder) as bare, server("retailops", bundle, folder) as ours:
        running = {"bare": bare, "retailops": ours}
        for name in names:
            load(running[name], body, folder, 1, connections)
        for _ in range(repetitions):
            for name in names:
                rounds[name].append(load(running[name], body, folder, seconds, connections))
        memory = {name: psutil.Process(running[name][0]).memory_info().rss / 1e6 for name in names}
    figures = {
        name: {
            "requests_per_s": round(median(rounds[name], "requests_per_s")),
            "cpu_us_per_request": round(median(rounds[name], "cpu_us"), 1),
            "p99_ms": round(median(rounds[name], "p99_ms"), 2),
            "failed": sum(each["failed"] for each in rounds[name]),
            "rss_mb": round(memory[name]),
            "cold_start_s": round(statistics.median(starts[name]), 2),
        }
        for name in names
    }
    pairs = list(zip(rounds["bare"], rounds["retailops"], strict=True))
    by_rate = [ours["requests_per_s"] / bare["requests_per_s"] for bare, ours in pairs]
    by_cpu = [bare["cpu_us"] / ours["cpu_us"] for bare, ours in pairs]
    ratios = min(by_rate, by_cpu, key=statistics.median)
    return {
        **figures,
        "ratio": round(statistics.median(ratios), 3),
        "ratio_range": [round(min(ratios), 3), round(max(ratios), 3)],
        "ratio_by_requests": round(statistics.median(by_rate), 3),
        "ratio_by_cpu": round(statistics.median(by_cpu), 3),
        "bar": BAR,
        "moonshot": MOONSHOT,
        "algorithm": json.loads((bundle / "card.json").read_text())["algorithm"],
        "lines": len(json.loads(body)["lines"]),
        "connections": connections,
        "repetitions": repetitions,
        "load": "wrk" if shutil.which("wrk") else "asyncio client",
        "pinned": len(cores()) > 1,
    }


def median(rounds: list[dict[str, float]], key: str) -> float:
    return statistics.median(each[key] for each in rounds)


def table(result: dict[str, Any]) -> str:
    rows: list[tuple[str, ...]] = [("", "req/s", "CPU µs/req", "P99 ms", "failed", "RSS MB", "cold start s")]
    for name in ("bare", "retailops"):
        each = result[name]
        rows.append((name, *(str(each[key]) for key in each)))
    lines = ["  ".join(cell.rjust(12) for cell in row) for row in rows]
    low, high = result["ratio_range"]
    lines.append(
        f"by requests/s {result['ratio_by_requests']:.1%}, by CPU {result['ratio_by_cpu']:.1%}; the smaller counts:"
    )
    lines.append(
        f"ratio {result['ratio']:.1%} ({low:.1%} to {high:.1%}) of a bare ASGI POST; "
        f"bar {BAR:.0%}, moonshot {MOONSHOT:.0%}"
    )
    lines.append(
        f"{result['algorithm']}, {result['lines']} lines, {result['connections']} connections, {result['load']}"
    )
    return "\n".join(lines)


def request_body(bundle: Path) -> bytes:
    """A golden basket cut or filled up to 8 lines."""
    golden = [row["basket"] for row in json.loads((bundle / "golden.json").read_text())]
    basket = min(golden, key=lambda each: abs(len(each["lines"]) - LINES))
    spare = [line for other in golden for line in other["lines"]]
    basket["lines"] = (basket["lines"] + spare)[:LINES]
    return json.dumps(basket).encode()


def cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def pinned(command: list[str], which: int) -> list[str]:
    available = cores()
    if len(available) < 2 or not shutil.which("taskset"):
        return command
    return ["taskset", "-c", str(available[which]), *command]


def command_of(name: str, port: int, bundle: Path, folder: Path) -> list[str]:
    if name == "bare":
        options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
        here = str(Path(__file__).parent)
        return [sys.executable, "-m", "uvicorn", "serving:app", "--app-dir", here, "--port", str(port), *options]
    logs = ["--log-folder", str(folder / "logs")]
    return [
        sys.executable,
        "-m",
        "retailops.serving",
        "--bundle",
        str(bundle),
        "--version",
        "1",
        "--port",
        str(port),
        *logs,
    ]


@contextmanager
def server(name: str, bundle: Path, folder: Path) -> Iterator[tuple[int, int]]:
    """(pid, port) of a running server, pinned to the first core."""
    port = free_port()
    with (folder / f"{name}.out").open("wb") as output:
        process = subprocess.Popen(pinned(command_of(name, port, bundle, folder), 0), stdout=output, stderr=output)
    try:
        until(lambda: answers(port, b"{}") is not None, process)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(timeout=20)


def cold_start(name: str, bundle: Path, folder: Path, body: bytes) -> float:
    """Seconds from the start of the process to its first correct answer."""
    port = free_port()
    began = time.perf_counter()
    with (folder / f"{name}.out").open("wb") as output:
        process = subprocess.Popen(command_of(name, port, bundle, folder), stdout=output, stderr=output)
    try:
        until(lambda: answers(port, body) == 200, process)
        return time.perf_counter() - began
    finally:
        process.kill()
        process.wait()


def until(true: Any, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("a server didn't start; run its command by hand to see why")
        time.sleep(0.002)


def answers(port: int, body: bytes) -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def load(running: tuple[int, int], body: bytes, folder: Path, seconds: int, connections: int) -> dict[str, float]:
    """One round: requests/s, CPU microseconds of the server per request, P99, failed requests."""
    pid, port = running
    process = psutil.Process(pid)
    before = sum(process.cpu_times()[:2])
    run = wrk if shutil.which("wrk") else client
    found = run(f"http://127.0.0.1:{port}/predict", body, folder, seconds, connections)
    used = sum(process.cpu_times()[:2]) - before
    return {**found, "cpu_us": used / max(found["requests"], 1) * 1e6}


def wrk(url: str, body: bytes, folder: Path, seconds: int, connections: int) -> dict[str, float]:
    script = folder / "post.lua"
    script.write_text(
        f'wrk.method = "POST"\nwrk.body = [==[{body.decode()}]==]\nwrk.headers["Content-Type"] = "application/json"\n'
    )
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), url]
    said = subprocess.run(pinned(command, 1), capture_output=True, text=True, check=True).stdout
    failed = sum(
        int(number) for number in re.findall(r"(?:Non-2xx or 3xx responses:|connect|read|write|timeout) (\d+)", said)
    )
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    total = re.search(r"(\d+) requests in", said)
    slow = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    if not (rate and total and slow):
        raise SystemExit(f"wrk said something unexpected:\n{said}")
    unit = {"us": 0.001, "ms": 1.0, "s": 1000.0}[slow.group(2)]
    return {
        "requests_per_s": float(rate.group(1)),
        "requests": float(total.group(1)),
        "p99_ms": float(slow.group(1)) * unit,
        "failed": failed,
    }


def client(url: str, body: bytes, folder: Path, seconds: int, connections: int) -> dict[str, float]:
    """The same from Python, in a process of its own on the other core; its own cost flattens the ratio."""
    (folder / "body").write_bytes(body)
    command = [sys.executable, __file__, "--client", url, str(folder / "body"), str(seconds), str(connections)]
    found: dict[str, float] = json.loads(subprocess.run(pinned(command, 1), capture_output=True, check=True).stdout)
    return found


def run_client(url: str, body_file: str, seconds: str, connections: str) -> None:
    port = int(re.findall(r":(\d+)/", url)[0])
    body = Path(body_file).read_bytes()
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    request = head.encode() + body
    taken: list[float] = []
    failed = 0

    async def one(until_time: float) -> None:
        nonlocal failed
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < until_time:
            asked = time.perf_counter()
            writer.write(request)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", answer)
            await (reader.readexactly(int(length.group(1))) if length else reader.readuntil(b"0\r\n\r\n"))
            taken.append(time.perf_counter() - asked)
            failed += not answer.startswith(b"HTTP/1.1 200")
        writer.close()

    async def everyone() -> None:
        end = time.perf_counter() + float(seconds)
        await asyncio.gather(*(one(end) for _ in range(int(connections))))

    asyncio.run(everyone())
    taken.sort()
    figures = {"requests": len(taken), "requests_per_s": len(taken) / float(seconds), "failed": failed}
    sys.stdout.write(json.dumps({**figures, "p99_ms": taken[int(len(taken) * 0.99)] * 1000}))


def train(folder: Path) -> Path:
    """A small model on synthetic data."""
    from retailops.progress import Silent
    from retailops.retail import etl, training
    from retailops.retail.synth import SynthOptions, write

    write(folder / "csv", SynthOptions(baskets=12_000, weeks=8), Silent())
    dataset = etl.run(folder / "csv", folder / "dataset", etl.EtlOptions(), Silent())
    training.train(dataset, folder / "bundles", training.TrainOptions(algorithms=("xgboost",)), Silent())
    return folder / "bundles" / "xgboost"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--client"]:
        run_client(*sys.argv[2:])
    else:
        main()
