"""A stand-in for a cluster that runs Jobs: a Job's command becomes a child process of this machine, over real HTTP.

    with JobApi(tmp_path / "node", environment) as api:
        ...                              # api.url is the cluster's address; its Jobs are really worked on

No scheduler and no controller: one pod a Job, never a second one. What a real control plane does with them is tested on
a real one; pods there can't reach an emulated S3, which is why this is here. `/data` and `/tmp` of a pod are folders
below the given one, `python` is this one, and its environment is the pod's and what is given: the way to the emulator.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Lock
from typing import Any

from emulator.loopback import Loopback

_JOBS = re.compile(r"^/apis/batch/v1/namespaces/([^/]+)/jobs(?:/([^/]+))?$")
_LOG = re.compile(r"^/api/v1/namespaces/([^/]+)/pods/([^/]+)/log$")


class JobApi(Loopback):
    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self.jobs: dict[str, dict[str, Any]] = {}
        self.applied: dict[str, dict[str, Any]] = {}  # kind → the object, of all others
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.tokens: list[str] = []
        self.silent = 0  # answers to come that are 503
        self._one = Lock()  # a Job is either not there or whole, whoever asks meanwhile
        super().__init__(self._answering())

    def __exit__(self, *problem: object) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()
        super().__exit__(*problem)

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if self.silent > 0:
            self.silent -= 1
            return 503, {"message": "etcdserver: leader changed"}
        if found := _JOBS.match(path):
            return self._job(method, found[2], body)
        if found := _LOG.match(path):
            return 200, self._log(found[2])
        if path.endswith("/pods"):
            return 200, {"items": [self._pod(name) for name in self.jobs]}
        if method in ("POST", "PATCH") and body.get("kind"):
            self.applied[body["kind"]] = body
            return 201, body
        return (200, {"items": []}) if path.endswith("/events") else (404, {"message": path})

    def _job(self, method: str, name: str | None, body: dict[str, Any]) -> tuple[int, Any]:
        name = name or body["metadata"]["name"]
        if method == "POST":
            if name in self.jobs:
                return 409, {"message": "already exists"}
            body["metadata"]["uid"] = f"uid-{len(self.processes)}"
            self.jobs[name] = body
            self._start(name, body["spec"]["template"]["spec"]["containers"][0])
        elif name not in self.jobs:
            return 404, {"message": name}
        elif method == "DELETE":
            self.processes[name].kill()
            return 200, self.jobs.pop(name)
        code = self.processes[name].poll()
        state = {0: "Complete"}.get(code, "Failed") if code is not None else ""
        conditions = [{"type": state, "status": "True", "reason": "StandIn"}] if state else []
        return 200, {**self.jobs[name], "status": {"conditions": conditions}}

    def _start(self, name: str, container: Mapping[str, Any]) -> None:
        root = self._folder / name
        (root / "data").mkdir(parents=True, exist_ok=True)
        words = [*container["command"], *container["args"]]
        words = [sys.executable, *(re.sub(r"=/data\b", f"={root}/data", word) for word in words[1:])]
        own = {each["name"]: each["value"] for each in container.get("env", [])}
        with (root / "log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                words, env={**self._environment, **own}, stdout=log, stderr=subprocess.STDOUT, cwd=root
            )

    def _pod(self, name: str) -> dict[str, Any]:
        code = self.processes[name].poll()
        state: dict[str, Any] = (
            {"running": {}} if code is None else {"terminated": {"exitCode": code, "reason": "Error"}}
        )
        phase = {None: "Running", 0: "Succeeded"}.get(code, "Failed")
        status = {"phase": phase, "containerStatuses": [{"name": "etl", "state": state}]}
        return {"metadata": {"name": name, "uid": f"pod-{name}"}, "status": status}

    def _log(self, name: str) -> str:
        """Each line at a moment of its own; paths of this machine as they would be in a pod."""
        lines = (self._folder / name / "log").read_text(encoding="utf-8").splitlines()
        begin = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
        moments = (datetime.fromtimestamp(begin + number, UTC) for number in range(len(lines)))
        inside = (line.replace(f"{self._folder / name}/data", "/data") for line in lines)
        return "".join(f"{at:%Y-%m-%dT%H:%M:%S}.5Z {line}\n" for at, line in zip(moments, inside, strict=True))

    def _answering(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Answering(BaseHTTPRequestHandler):
            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                api.tokens.append(self.headers.get("Authorization", ""))
                with api._one:
                    status, found = api.answer(self.command, self.path.partition("?")[0], json.loads(body or b"{}"))
                data = found.encode() if isinstance(found, str) else json.dumps(found).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_DELETE = _any  # noqa: N815

            def log_message(self, *_: object) -> None:
                return None

        return Answering
