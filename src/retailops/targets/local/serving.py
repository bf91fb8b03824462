"""Floor 4, local: the endpoint as a detached process, rolled over from version to version without a refused request."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import psutil

from retailops import files
from retailops.config.sections import Deploy, Gates, Monitor
from retailops.errors import NotReady, TargetFailed, Unsupported
from retailops.ports import Change, Endpoint, ModelVersion, Rendering
from retailops.progress import Progress
from retailops.retail.predictor import Predictor
from retailops.rollout.proof import Client, Speed, prove
from retailops.targets.local import processes
from retailops.targets.local.candidate import Candidate
from retailops.targets.local.endpoint import NAME, Record

_ASK_S = 3.0
_LEAVE_S = 5.0
_DRAIN_S = 60.0  # a server that was told to leave longer ago than this hangs
_KEPT_LOGS = 10
_STAYS = "The old version stays. Run the deploy again."


class LocalServing:
    """One endpoint a workspace; everything of it is in <workspace>/serving."""

    def __init__(self, workspace: Path, deploy: Deploy, gates: Gates, monitor: Monitor) -> None:
        self._folder = workspace.resolve() / "serving"
        self._logs = self._folder / "logs"
        self._deploy = deploy
        self._gates = gates
        self._monitor = monitor

    def changes(self) -> list[Change]:
        """A process of this machine costs nothing."""
        return []

    def roll_back(self, to: int | None, progress: Progress) -> Endpoint:
        raise Unsupported("There is no way back yet.", "Deploy the version that you want: retailops deploy --version N")

    def rendering(self) -> Rendering:
        raise Unsupported(
            "The target local serves without Kubernetes, so there are no manifests.",
            "aws has: add --target aws to the command.",
        )

    def roll_out(self, model: ModelVersion, progress: Progress) -> Endpoint:
        """Serve `model`; see ports.Serving. TargetFailed, GateFailed or NotReady leave the old version serving."""
        self._logs.mkdir(parents=True, exist_ok=True)
        with files.lock(self._folder / "deploy.lock", f"deploy of version {model.version}", wait=False):
            progress.stage(f"checking the bundle of version {model.version}")
            predictor = Predictor.open(model.run.bundle, model.version)
            old = Record.read(self._folder)
            self._tidy(old)
            state, _ = _ask(old) if old else ("unreachable", {})
            if old and state == "ready" and self._is_same(old, predictor):
                progress.stage(f"proving version {model.version}, which is live already")
                self._prove(old.private_port, predictor)
            else:
                self._replace(model, predictor, old, state == "ready", progress)
            live = self.endpoint()
        if live is None or live.state != "ready" or live.version != model.version:
            what = f"Version {model.version} went live and then stopped answering."
            raise TargetFailed(what, "Look at: retailops logs; then deploy again.")
        return live

    def endpoint(self) -> Endpoint | None:
        """The live endpoint, asked at this moment; None when nothing is deployed."""
        record = Record.read(self._folder)
        if record is None:
            return None
        state, detail = _ask(record)
        return Endpoint(record.url, record.version, state, record.since, {**detail, "pid": record.pid, **record.proof})

    def logs(self, lines: int, follow: bool) -> Iterator[str]:
        """The live server's last lines; with `follow`, further ones as they come. NotReady before a deploy."""
        record = Record.read(self._folder)
        if record is None:
            raise NotReady("Nothing is deployed, so there is no log.", "Run: retailops deploy")
        with Path(record.log).open(errors="replace") as file:
            yield from (line.rstrip("\n") for line in deque(file, lines))
            if follow:
                yield from _follow(file)

    def _replace(
        self, model: ModelVersion, predictor: Predictor, old: Record | None, healthy: bool, progress: Progress
    ) -> None:
        """Start beside, prove, swap."""
        moves = old is None or not self._is_there(old)
        hung = old is not None and old.alive and not healthy
        public = None if (healthy and not moves) or (hung and not moves) else self._bind(old)
        log = self._logs / f"server-{datetime.now(UTC):%Y%m%dT%H%M%S}-v{model.version}.log"
        progress.stage(f"starting version {model.version}")
        candidate = Candidate(self._arguments(model), self._folder, log)
        try:
            port = candidate.ready()
            progress.stage(f"proving version {model.version}")
            speed = self._prove(port, predictor)
            progress.stage(f"handing over to version {model.version}")
            if old and hung:
                _end(old)
                public = public or self._bind(old)
            control = f"control-{old.pid}.sock" if old and healthy else None
            candidate.take(control, public)
            host, number = public.getsockname()[:2] if public else (old.host, old.port)  # type: ignore[union-attr]
            record = Record(
                version=model.version,
                bundle_hash=predictor.bundle_hash,
                pid=candidate.pid,
                started=candidate.started,
                host=host,
                port=number,
                private_port=port,
                since=datetime.now(UTC).isoformat(timespec="seconds"),
                log=str(log),
                settings=self._settings(),
                proof=asdict(speed),
                draining=[old.pid] if old and healthy else [],
            )
            _require_version(record)
            candidate.commit(record.as_json(), old.pid if old and healthy else None)
        except BaseException:
            candidate.withdraw()
            raise
        finally:
            if public is not None:
                public.close()
        self._forget_logs()

    def _prove(self, port: int, predictor: Predictor) -> Speed:
        client = Client("127.0.0.1", port)
        try:
            return prove(client, predictor, self._gates, self._deploy.max_lines)
        finally:
            client.close()

    def _arguments(self, model: ModelVersion) -> list[str]:
        deploy = self._deploy
        options = {
            "--bundle": model.run.bundle,
            "--version": model.version,
            "--log-folder": self._logs,
            "--endpoint": self._folder,
            "--retention-days": self._monitor.retention_days,
            "--max-lines": deploy.max_lines,
            "--max-baskets": deploy.max_baskets,
            "--max-body-kb": deploy.max_body_kb,
            "--body-timeout-s": deploy.body_timeout_s,
        }
        return [word for name, value in options.items() for word in (name, str(value))]

    def _settings(self) -> dict[str, Any]:
        """What of retail.yaml a running server can't change."""
        known = self._deploy.model_dump(mode="json", exclude={"kubernetes"})
        return {**known, "retention_days": self._monitor.retention_days}

    def _is_same(self, old: Record, predictor: Predictor) -> bool:
        wanted = (predictor.version, predictor.bundle_hash, self._settings())
        return (old.version, old.bundle_hash, dict(old.settings)) == wanted

    def _is_there(self, old: Record) -> bool:
        """Whether the old server has the address that is wanted now. Port 0, any free one, stays what it became."""
        return old.settings.get("host") == self._deploy.host and self._deploy.port in (0, old.port)

    def _bind(self, old: Record | None) -> socket.socket:
        if self._deploy.port == 0 and old and self._is_there(old):
            with contextlib.suppress(TargetFailed):
                return processes.bind(self._deploy.host, old.port)
        return processes.bind(self._deploy.host, self._deploy.port)

    def _tidy(self, live: Record | None) -> None:
        """End what a killed deploy left behind: any server of this endpoint but the live one and its predecessor."""
        leaving = set(live.draining) if live else set()
        for process in processes.servers_of(self._folder):
            hangs = live is not None and time.time() - datetime.fromisoformat(live.since).timestamp() > _DRAIN_S
            if (live and process.pid == live.pid) or (process.pid in leaving and not hangs):
                continue
            processes.end([process], signal.SIGTERM, _LEAVE_S)
        for path in self._folder.glob("control-*.sock"):
            if not psutil.pid_exists(int(path.stem.partition("-")[2])):
                path.unlink(missing_ok=True)

    def _forget_logs(self) -> None:
        for path in sorted(self._logs.glob("server-*.log"))[:-_KEPT_LOGS]:
            path.unlink(missing_ok=True)

    def removals(self) -> list[Change]:
        """The server processes of this workspace, for teardown to show."""
        return [
            Change("delete", "process", f"server of version {processes.version_of(each)}", f"process {each.pid}")
            for each in processes.servers_of(self._folder)
        ]

    def remove(self) -> None:
        """End them: what is being answered is finished first. Nothing there is success."""
        processes.end(processes.servers_of(self._folder), signal.SIGINT, _LEAVE_S)
        (self._folder / NAME).unlink(missing_ok=True)

    def left(self) -> list[Change]:
        """Server processes that name anything of this workspace on their command line, whatever our records say."""
        return [
            Change("left", "process", f"server of version {processes.version_of(each)}", f"process {each.pid}")
            for each in processes.servers_of(self._folder.parent)
        ]


def _ask(record: Record) -> tuple[Literal["ready", "starting", "unreachable"], Mapping[str, Any]]:
    """What the endpoint says for itself, and why it says nothing."""
    if not record.alive:
        return "unreachable", {"why": f"the server (process {record.pid}) is gone"}
    client = Client(record.reachable, record.port, _ASK_S)
    try:
        status, ready = client.get("/readyz")
        _, model = client.get("/model")
        if (model["model_version"], model["bundle_hash"]) != (record.version, record.bundle_hash):
            return "unreachable", {"why": f"port {record.port} answers with another model"}
        found = {"bundle_hash": model["bundle_hash"], "algorithm": model["card"].get("algorithm")}
        return ("ready" if status == 200 else "starting"), {**found, "says": ready["status"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return "unreachable", {"why": f"port {record.port} doesn't answer as it should ({error})"}
    finally:
        client.close()


def _require_version(record: Record) -> None:
    """The public port must answer with the new version before the old one is let go."""
    client = Client(record.reachable, record.port, _ASK_S)
    try:
        _, model = client.get("/model")
        found = (model["model_version"], model["bundle_hash"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TargetFailed(f"Port {record.port} is silent after the swap: {error}.", _STAYS) from error
    finally:
        client.close()
    if found != (record.version, record.bundle_hash):
        raise TargetFailed(f"Port {record.port} answers with version {found[0]} after the swap.", _STAYS)


def _end(old: Record) -> None:
    """A server that runs and doesn't answer is of no use to anyone, and it holds the port."""
    with contextlib.suppress(psutil.NoSuchProcess):
        processes.end([psutil.Process(old.pid)], signal.SIGTERM, _LEAVE_S)


def _follow(file: Any) -> Iterator[str]:
    while True:
        line = file.readline()
        if line:
            yield line.rstrip(os.linesep)
        else:
            time.sleep(0.2)
