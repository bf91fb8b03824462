"""Floor 4, local: the endpoint as a detached process, rolled over from version to version without a refused request."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from retailops import files
from retailops.config.sections import Deploy, Gates, Monitor
from retailops.errors import NotReady, TargetFailed, Unsupported
from retailops.ports import Change, Endpoint, ModelVersion, Rendering, Served
from retailops.progress import Progress
from retailops.retail.predictor import Predictor
from retailops.rollout.proof import Client, Speed, prove
from retailops.targets.local import answers, processes
from retailops.targets.local.candidate import Candidate
from retailops.targets.local.endpoint import NAME, Record, dotted
from retailops.targets.local.wanted import Wanted

_LEAVE_S = 5.0
_DRAIN_S = 60.0  # a server that was told to leave longer ago than this hangs
_KEPT_LOGS = 10


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

    def rendering(self) -> Rendering:
        raise Unsupported(
            "The target local serves without Kubernetes, so there are no manifests.",
            "aws has: add --target aws to the command.",
        )

    def roll_out(self, model: ModelVersion, progress: Progress) -> Endpoint:
        """Serve `model`; see ports.Serving. TargetFailed, GateFailed or NotReady leave the old version serving."""
        if self._deploy.engine == "sagemaker":
            raise Unsupported(
                "The target local has no SageMaker, and deploy.engine is sagemaker.",
                "Set deploy.engine: auto in retail.yaml, or add --target aws to the command.",
            )
        with self._alone(f"deploy of version {model.version}"):
            progress.stage(f"checking the bundle of version {model.version}")
            wanted = Wanted.of(model, self._deploy, self._monitor)
            predictor = Predictor.open(wanted.bundle, wanted.version)
            return self._go_live(wanted, predictor, Record.read(self._folder), progress)

    def roll_back(self, to: int | None, progress: Progress) -> Endpoint:
        """Serve again what served before; see ports.Serving. Whatever it raises, the live version goes on serving."""
        if Record.read(self._folder) is None:  # before anything is made in a folder that needn't be ours yet
            raise _nothing()
        with self._alone("rollback"):
            live, endpoint = Record.read(self._folder), self.endpoint()
            if live is None or endpoint is None:
                raise _nothing()
            served = endpoint.earlier(to) or live.served
            progress.stage(f"checking the bundle of version {served.version}")
            predictor = _still_loads(served, live)
            return self._go_live(Wanted.again(served, live), predictor, live, progress)

    @contextlib.contextmanager
    def _alone(self, what: str) -> Iterator[None]:
        self._logs.mkdir(parents=True, exist_ok=True)
        with files.lock(self._folder / "deploy.lock", what, wait=False):
            yield

    def _go_live(self, wanted: Wanted, predictor: Predictor, old: Record | None, progress: Progress) -> Endpoint:
        """What is live already is proved again; anything else takes the place of `old`."""
        self._tidy(old)
        state, _ = answers.ask(old) if old else ("unreachable", {})
        if old and state == "ready" and wanted.is_as(old, predictor.bundle_hash) and wanted.is_at(old):
            progress.stage(f"proving version {wanted.version}, which is live already")
            self._prove(old.private_port, predictor, wanted)
        else:
            self._replace(wanted, predictor, old, state == "ready", progress)
        live = self.endpoint()
        if live is None or live.state != "ready" or live.version != wanted.version:
            what = f"Version {wanted.version} went live and then stopped answering."
            raise TargetFailed(what, "Look at: retailops logs; then run the same command again.")
        return live

    def endpoint(self) -> Endpoint | None:
        """The live endpoint, asked at this moment; None when nothing is deployed."""
        record = Record.read(self._folder)
        if record is None:
            return None
        state, detail = answers.ask(record)
        return Endpoint(
            record.url,
            record.version,
            state,
            record.since,
            {"bundle_hash": record.bundle_hash, **detail, "pid": record.pid, **record.proof},
            dotted(record.settings),
            record.past,
            record.returned,
        )

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
        self, wanted: Wanted, predictor: Predictor, old: Record | None, healthy: bool, progress: Progress
    ) -> None:
        """Start beside, prove, swap."""
        moves = old is None or not wanted.is_at(old)
        hung = old is not None and old.alive and not healthy
        public = None if (healthy and not moves) or (hung and not moves) else wanted.bind(old)
        log = self._logs / f"server-{datetime.now(UTC):%Y%m%dT%H%M%S}-v{wanted.version}.log"
        progress.stage(f"starting version {wanted.version}")
        candidate = Candidate(wanted.arguments(self._folder, self._logs), self._folder, log)
        try:
            port = candidate.ready()
            progress.stage(f"proving version {wanted.version}")
            speed = self._prove(port, predictor, wanted)
            progress.stage(f"handing over to version {wanted.version}")
            if old and hung:
                _end(old)
                public = public or wanted.bind(old)
            control = f"control-{old.pid}.sock" if old and healthy else None
            candidate.take(control, public)
            host, number = public.getsockname()[:2] if public else (old.host, old.port)  # type: ignore[union-attr]
            stays = old is not None and wanted.is_as(old, predictor.bundle_hash)  # a new process or address, no more
            record = Record(
                version=wanted.version,
                bundle_hash=predictor.bundle_hash,
                bundle=str(wanted.bundle),
                pid=candidate.pid,
                started=candidate.started,
                host=host,
                port=number,
                private_port=port,
                since=datetime.now(UTC).isoformat(timespec="seconds"),
                log=str(log),
                settings=wanted.settings,
                proof=asdict(speed),
                draining=[old.pid] if old and healthy else [],
                before=[] if old is None else old.before if stays else old.ended(),
                returned=old.returned if old and stays else wanted.returned,
            )
            answers.require_version(record)
            candidate.commit(record.as_json(), old.pid if old and healthy else None)
        except BaseException:
            candidate.withdraw()
            raise
        finally:
            if public is not None:
                public.close()
        self._forget_logs()

    def _prove(self, port: int, predictor: Predictor, wanted: Wanted) -> Speed:
        client = Client("127.0.0.1", port)
        try:
            return prove(client, predictor, self._gates, wanted.settings["max_lines"])
        finally:
            client.close()

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


def _nothing() -> NotReady:
    return NotReady("Nothing is deployed, so there is nothing to go back to.", "Run: retailops deploy")


def _still_loads(served: Served, live: Record) -> Predictor:
    """The bundle that served then, whole and the same. NotReady when it isn't there any more, or was changed."""
    folder = Path(served.detail["bundle"])
    stays = f"Version {live.version} stays. Restore the folder, or deploy a version: retailops deploy --version N"
    try:
        predictor = Predictor.open(folder, served.version)
    except TargetFailed as error:
        what = f"Version {served.version} served before and doesn't load any more. {error.what}"
        raise NotReady(what, stays) from error
    if predictor.bundle_hash != served.bundle_hash:
        what = f"Version {served.version} isn't what served before: another bundle is in {folder}."
        raise NotReady(what, stays)
    return predictor


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
