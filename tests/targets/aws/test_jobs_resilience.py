"""What goes wrong while a job runs: the command says so, the job goes on, and the same command picks it up again."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulator import HANG_UP, Emulator, Executor, Request, Response
from retailops.errors import RetailOpsError, TargetFailed
from retailops.ports import Job, JobResult
from retailops.progress import Silent
from retailops.targets.aws.jobs import AwsJobs, Patience
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.session import Session

pytestmark = pytest.mark.slow

TOY = ("python", "-P", str(Path(__file__).parents[1] / "retailops_toy_worker.py"))
NAME = "retail-demo-dev-train-k1"
Settled = Callable[[Callable[[], bool]], None]


class Impatient:
    """A boto3 session whose clients don't try again by themselves."""

    def __init__(self, boto: Any) -> None:
        self._boto = boto

    def client(self, service: str, config: Any) -> Any:
        from botocore.config import Config as ClientConfig

        once = ClientConfig(retries={"mode": "standard", "max_attempts": 1})
        return self._boto.client(service, config=config.merge(once))


@pytest.fixture
def jobs(machines: Executor, swift: Session) -> AwsJobs:
    swift.__dict__["_boto"] = Impatient(swift._boto)
    return AwsJobs(swift, Mirror(swift), TOY, Patience(look=0.02, grace=0.05, stopping=0.2, late=0.1))


def failed(jobs: AwsJobs, wanted: Job) -> RetailOpsError:
    """How the command ended."""
    with pytest.raises(RetailOpsError) as caught:
        jobs.run(wanted, Silent())
    return caught.value


def expired(request: Request) -> Response:
    return Response(b'{"__type": "ExpiredTokenException", "message": "The security token is expired"}', 400)


def throttled(request: Request) -> Response:
    return Response(b'{"__type": "ThrottlingException", "message": "Rate exceeded"}', 400)


def broken(request: Request) -> Response:
    return HANG_UP


@pytest.mark.parametrize(
    ("operation", "fault", "cause"),
    [
        ("Logs_20140328.DescribeLogStreams", expired, "expired"),
        ("Logs_20140328.GetLogEvents", expired, "expired"),
        ("Logs_20140328.GetLogEvents", broken, "network"),
        ("SageMaker.DescribeTrainingJob", throttled, "throttled"),
        ("SageMaker.DescribeTrainingJob", broken, "network"),
    ],
)
def test_what_breaks_while_a_job_is_followed_leaves_it_running_for_the_next_command(
    jobs: AwsJobs, machines: Executor, aws: Emulator, tmp_path: Path, operation: str, fault: Any, cause: str
) -> None:
    gate, runs = tmp_path / "gate", tmp_path / "runs"
    os.mkfifo(gate)
    wanted = Job("train", "k1", {}, {"do": "wait", "gate": str(gate), "runs": str(runs)})
    seen = threading.Event()

    def hook(request: Request) -> Response | None:
        if request.target != operation or NAME not in machines.runs or not machines.runs[NAME].began.is_set():
            return None
        seen.set()
        answer: Response = fault(request)
        return answer

    aws.answer(hook)
    problem = failed(jobs, wanted)
    assert seen.is_set() and isinstance(problem, TargetFailed)
    assert problem.details["cause"] == cause and problem.fix
    assert machines.runs[NAME].job.training_job_status == "InProgress"
    aws.hooks.remove(hook)
    ended: list[JobResult] = []
    thread = threading.Thread(target=lambda: ended.append(jobs.run(wanted, Silent())))
    thread.start()
    gate.write_text("go")
    thread.join(30)
    assert ended[0].result == {"waited": True}
    assert runs.read_text() == "run\n" and list(machines.runs) == [NAME]


def test_a_job_stuck_in_stopping_is_waited_for_and_never_started_beside_itself(
    jobs: AwsJobs, machines: Executor, aws: Emulator, tmp_path: Path, settled: Settled
) -> None:
    runs = tmp_path / "runs"
    machines.stuck = True
    ended: list[RetailOpsError] = []
    thread = threading.Thread(target=lambda: ended.append(failed(jobs, Job("train", "k1", {}, {"do": "wait"}))))
    thread.start()
    machines.started(NAME)
    aws.client("sagemaker").stop_training_job(TrainingJobName=NAME)
    thread.join(30)
    again = Job("train", "k1", {}, {"do": "count", "runs": str(runs)})
    for problem in (ended[0], failed(jobs, again)):
        assert "has been stopping" in problem.what and "run the same command again" in problem.fix
    assert list(machines.runs) == [NAME] and not runs.exists(), "two of them would write over each other"
    machines.stuck = False
    machines.runs[NAME].end(stopping=True)
    settled(lambda: machines.runs[NAME].job.training_job_status == "Stopped")
    assert jobs.run(again, Silent()).result["answer"] == 42
    assert list(machines.runs) == [NAME, f"{NAME}-2"] and runs.read_text() == "run\n"
