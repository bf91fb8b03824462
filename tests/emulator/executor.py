"""SageMaker's machines: every submitted processing or training job is really run, as a child process of this Python.

    with Executor(aws, tmp_path / "machines") as machines:
        ...                              # submit; what comes out is in the emulated S3, what it said in CloudWatch
        machines.started(name)           # waits until the job's program runs
        machines.interrupt(name)         # plays a spot reclaim: SIGTERM, then a kill, then another machine
        machines.capacity.clear()        # no machine is free until `capacity.set()`
        machines.stuck = True            # a job that is stopped stays in Stopping

A job gets a folder of its own for a container's root. Channels are downloaded into opt/ml below it, and every path in
the arguments that begins with /opt/ml leads there; the entry point's `python` is this one. It gets no credentials and
no endpoint, as behind network isolation. Its words go to the log group and streams that SageMaker would use. What the
container leaves is uploaded where the request says; a failed processing job's too, the harder of the two things that
the documentation leaves open. Checkpoints live on over an interruption. A job of several machines is as many processes;
they are called by addresses of the loopback, where SageMaker says algo-1, and what all of them leave goes to one place.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Self

from moto.core import DEFAULT_ACCOUNT_ID
from moto.sagemaker.models import sagemaker_backends

from emulator import sagemaker_refusals
from emulator.containers import Container, Order
from emulator.server import Emulator, Request, Response
from emulator.tuning import TrialRuns

_KINDS = {"CreateProcessingJob": "processing", "CreateTrainingJob": "training"}
_ENDS = {"StopProcessingJob": "processing", "StopTrainingJob": "training"}
_PATIENCE_S = 2.0  # between SIGTERM and the kill; SageMaker waits for two minutes
_SENT_EVERY_S = 0.05


class Executor:
    """Active from `with` on, until its end or the emulator's `reset`."""

    def __init__(self, aws: Emulator, folder: Path) -> None:
        self.aws = aws
        self.capacity = threading.Event()
        self.capacity.set()
        self.stuck = False
        self.runs: dict[str, Run] = {}
        self._folder = folder
        self._one_at_a_time = threading.Lock()
        self.tuner = TrialRuns(aws, self._begun)

    def __enter__(self) -> Self:
        self.aws.answer(self._answer)
        self.aws.answer(self._answer_tuner)
        return self

    def __exit__(self, *problem: object) -> None:
        self.aws.hooks.remove(self._answer)
        self.aws.hooks.remove(self._answer_tuner)
        for search in self.tuner.searches.values():
            search.kept.hyper_parameter_tuning_job_status = "Stopped"
        for thread in self.tuner.threads:
            thread.join(30)
        for run in self.runs.values():
            run.end(stopping=True)
            run.thread.join(30)

    def started(self, name: str, seconds: float = 30.0) -> Run:
        """The run of a job, once its program has begun."""
        deadline = time.monotonic() + seconds
        while name not in self.runs or not self.runs[name].began.is_set():
            assert time.monotonic() < deadline, f"{name} never began; known: {list(self.runs)}"
            time.sleep(0.01)
        return self.runs[name]

    def interrupt(self, name: str) -> None:
        """Take the machine away under a running spot job. Returns once its program is gone."""
        self.started(name).interrupt()

    def _answer(self, request: Request) -> Response | None:
        operation = request.target.removeprefix("SageMaker.")
        wanted = json.loads(request.body or b"{}") if operation in _KINDS | _ENDS else {}
        if operation in _ENDS:
            name = wanted.get("ProcessingJobName") or wanted.get("TrainingJobName")
            if name in self.runs and self.runs[name].stop():
                return Response(b"{}")
            return None
        if operation not in _KINDS:
            return None
        with self._one_at_a_time:
            if refusal := sagemaker_refusals.answer(request):
                return refusal
            run = self._run(request.region, Order(_KINDS[operation], wanted))
        run.thread.start()
        return Response(json.dumps({f"{run.order.camel}Arn": run.job.arn}).encode())

    def _answer_tuner(self, request: Request) -> Response | None:
        return self.tuner.answer(request)

    def _begun(self, region: str, wanted: dict[str, Any]) -> Run:
        """A trial of the tuner."""
        with self._one_at_a_time:
            run = self._run(region, Order("training", wanted))
        run.thread.start()
        return run

    def _run(self, region: str, order: Order) -> Run:
        run = self.runs[order.name] = Run(self, order, _job(region, order), self._folder / order.name)
        return run


class Run:
    """One job: its entry in the emulated SageMaker, and the process that does it, one after another if interrupted."""

    def __init__(self, executor: Executor, order: Order, job: Any, folder: Path) -> None:
        self.job = job
        self.order = order
        self.began = threading.Event()
        self.starts = 0
        self.folder = folder  # of the machine it is on, or was on last
        self._root = folder
        self._executor = executor
        self._processes: list[subprocess.Popen[bytes]] = []
        self._stopping = self._taken = False
        self._gone = threading.Event()
        self.thread = threading.Thread(target=self._live, name=order.name, daemon=True)

    def stop(self) -> bool:
        """As StopTrainingJob does; False when it had ended before."""
        if getattr(self.job, self.order.status) != "InProgress":
            return False
        setattr(self.job, self.order.status, "Stopping")
        self.job.secondary_status = "Stopping"
        if not self._executor.stuck:
            threading.Thread(target=self.end, kwargs={"stopping": True}, daemon=True).start()
        return True

    def interrupt(self) -> None:
        assert self.order.spot, "only a spot machine is taken away"
        self._taken = True
        self._gone.clear()
        self.began.clear()
        self.end()
        assert self._gone.wait(30)

    def end(self, *, stopping: bool = False) -> None:
        """SIGTERM, and a kill for who doesn't mind it. Nothing running is success."""
        self._stopping = self._stopping or stopping
        alive = [process for process in self._processes if process.poll() is None]
        for process in alive:
            process.send_signal(signal.SIGTERM)
        for process in alive:
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)

    def _live(self) -> None:
        while not self._executor.capacity.wait(0.05):
            if self._stopping:
                return self._over("Stopped", "Stopped")
        try:
            while True:
                self._taken = False
                code = self._once()
                if not self._taken:
                    break
                self.job.secondary_status = "Interrupted"
                self._gone.set()
        except Exception as problem:  # noqa: BLE001 - whatever it is, the job fails by it, and says so
            return self._over("Failed", "Failed", f"ClientError: {problem}")
        if self._stopping:
            return self._over("Stopped", "Stopped")
        if code == 0:
            return self._over("Completed", "Completed")
        words = self._container.last_words()
        status = -code + 128 if code < 0 else code
        self.job.exit_message = words or None
        said = words if words and self.order.kind == "training" else "See job logs for more information"
        return self._over("Failed", "Failed", f"AlgorithmError: {said}, exit code: {status}")

    def _once(self) -> int:
        """A whole life on one machine, or several at once. Returns the exit code of its program, negative for a signal.

        Of several programs that of the one that failed first, by which the others are ended too.
        """
        self.starts += 1
        self.folder = self._root / str(self.starts)
        self.job.secondary_status = "Downloading"
        containers = self._filled()
        self._container = containers[0]
        self.job.secondary_status = "Training"
        self._processes = [self._begun(container) for container in containers]
        self.began.set()
        if self._stopping:
            self.end()
        streams = [
            threading.Thread(target=self._follow, args=(number, process), daemon=True)
            for number, process in enumerate(self._processes, 1)
        ]
        for stream in streams:
            stream.start()
        code = self._waited()
        for stream in streams:
            stream.join()
        self.job.secondary_status = "Uploading"
        for container in containers:
            container.empty(code=code, interrupted=self._taken)
        return code

    def _filled(self) -> list[Container]:
        """The machines, the first in `folder`, with all that they need."""
        # An address for each, that no other job meets at.
        network = f"127.{os.getpid() % 200 + 20}.{list(self._executor.runs).index(self.order.name) % 250}"
        hosts = [f"{network}.{number + 1}" for number in range(self.order.machines)]
        found = []
        for number, host in enumerate(hosts):
            folder = self.folder if number == 0 else self.folder.with_name(f"{self.folder.name}-{number + 1}")
            found.append(Container(self._executor.aws, self.order, folder, host, hosts))
            found[-1].fill()
        return found

    def _begun(self, container: Container) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            container.command(sys.executable),
            cwd=container.root,
            env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _waited(self) -> int:
        """All programs have ended: 0, or what the first one failed by."""
        first = 0
        while [process for process in self._processes if process.poll() is None]:
            failed = [process.returncode for process in self._processes if process.returncode]
            if failed and not first:
                first = failed[0]
                self.end()
            time.sleep(0.01)
        return first or next((process.returncode for process in self._processes if process.returncode), 0)

    def _follow(self, number: int, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout
        folder = self.folder if number == 1 else self.folder.with_name(f"{self.folder.name}-{number}")
        _stream(process.stdout, self._words(number), str(folder))

    def _words(self, number: int) -> Callable[[list[str]], None]:
        """What takes lines to the stream of this machine."""
        logs, group = self._executor.aws.client("logs"), self.order.logs
        stream = f"{self.order.name}/algo-{number}-{int(time.time())}{self.starts:03d}"
        if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
            with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
                logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName=stream)

        def send(lines: list[str]) -> None:
            now = int(time.time() * 1000)
            events = [{"timestamp": now, "message": line} for line in lines]
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

        return send

    def _over(self, status: str, secondary: str, reason: str = "") -> None:
        if reason:
            self.job.failure_reason = re.sub(r"\s+", " ", reason)[:1024]
        self.job.secondary_status = secondary
        setattr(self.job, self.order.status, status)


def _stream(output: IO[bytes], send: Callable[[list[str]], None], root: str) -> None:
    """Lines as they come, a few in one call; paths as inside the container."""
    waiting: list[str] = []
    due = 0.0
    for line in output:
        text = line.decode(errors="replace").rstrip("\n").replace(root, "")
        waiting += [text] if text else []
        if waiting and time.monotonic() >= due:
            send(waiting)
            waiting, due = [], time.monotonic() + _SENT_EVERY_S
    if waiting:
        send(waiting)
    output.close()


def _job(region: str, order: Order) -> Any:
    """The job as moto keeps it, but in progress."""
    backend = sagemaker_backends[DEFAULT_ACCOUNT_ID][region]
    wanted = order.wanted
    if order.kind == "training":
        names = "training_job_name hyper_parameters algorithm_specification role_arn input_data_config "
        names += "output_data_config resource_config vpc_config stopping_condition tags enable_network_isolation "
        names += "enable_inter_container_traffic_encryption enable_managed_spot_training checkpoint_config "
        names += "debug_hook_config debug_rule_configurations tensor_board_output_config experiment_config"
        job: Any = backend.create_training_job(**{name: wanted.get(_camel(name)) for name in names.split()})
        job.model_artifacts = {"S3ModelArtifacts": order.model}
    else:
        names = "app_specification experiment_config network_config processing_inputs processing_job_name "
        names += "processing_output_config role_arn tags stopping_condition"
        job = backend.create_processing_job(**{name: wanted.get(_camel(name)) for name in names.split()})
        job.processing_resources = wanted["ProcessingResources"]
    job.secondary_status = "Starting"
    setattr(job, order.status, "InProgress")
    return job


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
