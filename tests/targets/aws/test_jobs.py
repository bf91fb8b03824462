"""Jobs on SageMaker: really run by the emulator's machines, with a worker that behaves as its parameters say."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulator, Executor, Request, Response
from retailops.config import Config
from retailops.errors import ConfigError, GateFailed, Interrupted, NotReady, RetailOpsError, TargetFailed, UsageError
from retailops.ports import Job, JobResult
from retailops.progress import Silent
from retailops.targets.aws.jobs import AwsJobs, Patience
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.session import Session

pytestmark = pytest.mark.slow  # an account in an emulator each: the contract suites have fast ones

TOY = ("python", "-P", str(Path(__file__).parents[1] / "retailops_toy_worker.py"))
HURRY = Patience(look=0.02, grace=0.05, late=0.1)
NAME = "retail-demo-dev-train-k1"
Settled = Callable[[Callable[[], bool]], None]


@pytest.fixture
def mirror(swift: Session) -> Mirror:
    return Mirror(swift)


@pytest.fixture
def jobs(machines: Executor, swift: Session, mirror: Mirror) -> AwsJobs:
    return AwsJobs(swift, mirror, TOY, HURRY)


def job(act: str, key: str = "k1", kind: Any = "train", **parameters: Any) -> Job:
    return Job(kind, key, {}, {"do": act, **parameters})


def started(jobs: AwsJobs, wanted: Job) -> tuple[threading.Thread, list[JobResult | RetailOpsError]]:
    """The job, run by a thread; what came of it."""
    ended: list[JobResult | RetailOpsError] = []

    def run() -> None:
        try:
            ended.append(jobs.run(wanted, Silent()))
        except RetailOpsError as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, ended


def created(aws: Emulator) -> list[dict[str, Any]]:
    """Collects the requests for jobs from now on."""
    asked: list[dict[str, Any]] = []

    def listen(request: Request) -> Response | None:
        if request.target in ("SageMaker.CreateTrainingJob", "SageMaker.CreateProcessingJob"):
            asked.append(json.loads(request.body))
        return None

    aws.answer(listen)
    return asked


@pytest.mark.parametrize("kind", ["train", "predict"])
def test_a_finished_job_is_not_run_again(jobs: AwsJobs, tmp_path: Path, kind: str, aws: Emulator) -> None:
    asked = created(aws)
    runs = tmp_path / "runs"
    first = jobs.run(job("count", kind=kind, runs=str(runs)), Silent())
    second = jobs.run(job("count", kind=kind, runs=str(runs)), Silent())
    assert (first.reused, second.reused) == (False, True)
    assert (first.folder, first.result) == (second.folder, second.result)
    assert first.result["answer"] == 42
    assert (first.folder / "data.txt").read_text() == "whole"
    assert runs.read_text() == "run\n" and len(asked) == 1


def test_a_job_that_finished_is_known_on_another_machine(
    jobs: AwsJobs, machines: Executor, swift: Session, tmp_path: Path
) -> None:
    first = jobs.run(job("count"), Silent())
    elsewhere = Session(swift.config)
    elsewhere.settings = swift.settings.model_copy(update={"folder": tmp_path / "elsewhere"})
    again = AwsJobs(elsewhere, Mirror(elsewhere), TOY, HURRY).run(job("count"), Silent())
    assert again.reused and again.result == first.result
    assert again.folder != first.folder and (again.folder / "data.txt").read_text() == "whole"


def test_what_was_lost_from_the_bucket_is_made_again(jobs: AwsJobs, mirror: Mirror, machines: Executor) -> None:
    first = jobs.run(job("count"), Silent())
    mirror.remove(mirror.listing(first.folder))
    healed = jobs.run(job("count"), Silent())
    assert not healed.reused and healed.result == first.result
    assert list(machines.runs) == [NAME, f"{NAME}-2"]


def test_progress_and_stray_prints_come_through_cloudwatch(jobs: AwsJobs, watcher: Any, mirror: Mirror) -> None:
    jobs.run(job("talk"), watcher)
    stages = [what for kind, what in watcher.told if kind == "stage"]
    advances = [what for kind, what in watcher.told if kind == "advance"]
    assert ("counting", 1000, "rows") in stages and ("then", None, "") in stages
    assert advances.count(1000) == 1, "each line is told once"
    log = mirror.folder("models", "jobs", "train-k1", "log").read_text()
    assert "from Python" in log and "from C" in log and "event" not in log


def test_errors_keep_their_class_their_fix_and_their_details(jobs: AwsJobs) -> None:
    with pytest.raises(UsageError, match="line 7") as caught:
        jobs.run(job("bad data"), Silent())
    assert caught.value.fix == "Correct the line."
    assert caught.value.details == {"line": 7}


@pytest.mark.parametrize("kind", ["train", "predict"])
def test_an_error_is_known_without_the_log_too(jobs: AwsJobs, aws: Emulator, kind: str) -> None:
    def lost(request: Request) -> Response | None:
        nothing = {"logStreams": []}
        return Response(json.dumps(nothing).encode()) if request.target.endswith(".DescribeLogStreams") else None

    aws.answer(lost)
    with pytest.raises(UsageError, match="line 7") as caught:
        jobs.run(job("bad data", kind=kind), Silent())
    assert caught.value.fix == "Correct the line."


def test_paths_inside_the_container_become_addresses(jobs: AwsJobs, aws: Emulator) -> None:
    with pytest.raises(GateFailed) as caught:
        jobs.run(job("gate", kind="predict"), Silent())
    assert f"s3://retail-demo-dev-models-{aws.account}/jobs/predict-k1/output/begun" in caught.value.fix


@pytest.mark.parametrize(
    ("act", "words"),
    [
        ("killed", ["memory", "exit code: 137"]),
        ("segfault", ["exit code: 139", "Fatal Python error: Segmentation fault"]),
        ("surprise", ["LookupError: the shelf is empty"]),
        ("memory", ["out of memory"]),
        ("vanish", ["without leaving its result"]),
    ],
)
def test_a_sudden_death_is_explained(jobs: AwsJobs, act: str, words: list[str]) -> None:
    with pytest.raises(TargetFailed) as caught:
        jobs.run(job(act), Silent())
    for word in words:
        assert word in caught.value.what
    assert caught.value.fix
    assert "Traceback" not in caught.value.what


@pytest.mark.parametrize("act", ["killed", "gate", "vanish"])
def test_running_again_after_a_failure_is_a_new_attempt(jobs: AwsJobs, machines: Executor, act: str) -> None:
    with pytest.raises(RetailOpsError):
        jobs.run(job(act, kind="predict"), Silent())
    done = jobs.run(job("count", kind="predict"), Silent())
    assert not done.reused
    assert list(machines.runs) == ["retail-demo-dev-predict-k1", "retail-demo-dev-predict-k1-2"]


def test_what_a_failed_attempt_left_is_not_mixed_with_the_next(jobs: AwsJobs, mirror: Mirror) -> None:
    output = mirror.folder("models", "jobs", "predict-k1", "output")
    with pytest.raises(GateFailed):
        jobs.run(job("gate", kind="predict"), Silent())
    (output / "stale").parent.mkdir(parents=True, exist_ok=True)
    (output / "stale").write_text("of an attempt before")
    mirror.push(output / "stale")
    done = jobs.run(job("count", kind="predict"), Silent())
    assert sorted(path.name for path in done.folder.iterdir()) == ["begun", "data.txt", "result.json"]


def test_a_second_command_follows_what_is_running(jobs: AwsJobs, machines: Executor, watcher: Any) -> None:
    machines.capacity.clear()
    first, ended = started(jobs, job("count"))
    while NAME not in machines.runs:
        first.join(0.01)
    second, same = started(jobs, job("count"))
    second.join(0.2)
    assert second.is_alive() and not same
    machines.capacity.set()
    first.join(30)
    second.join(30)
    (one,), (other,) = ended, same
    assert isinstance(one, JobResult) and isinstance(other, JobResult)
    assert one.result == other.result and list(machines.runs) == [NAME]


def test_of_two_commands_at_the_same_moment_one_starts_the_job(jobs: AwsJobs, machines: Executor) -> None:
    several = [started(jobs, job("count")) for _ in range(4)]
    for thread, _ in several:
        thread.join(60)
    results = [ended[0] for _, ended in several]
    assert all(isinstance(each, JobResult) for each in results), results
    assert list(machines.runs) == [NAME] and machines.runs[NAME].starts == 1


def test_a_lost_answer_to_the_submission_is_no_second_job(jobs: AwsJobs, machines: Executor, aws: Emulator) -> None:
    lost: list[str] = []

    def lose(request: Request) -> Response | None:
        if request.target != "SageMaker.CreateTrainingJob" or lost:
            return None
        machines._answer(request)  # it arrives; its answer doesn't
        lost.append("answer")
        return Response(b"{}", 503)

    aws.answer(lose)
    assert jobs.run(job("count"), Silent()).result["answer"] == 42
    assert lost and list(machines.runs) == [NAME] and machines.runs[NAME].starts == 1


def test_a_throttled_submission_is_asked_for_again(jobs: AwsJobs, machines: Executor, aws: Emulator) -> None:
    refusals = iter(range(2))

    def throttle(request: Request) -> Response | None:
        if request.target != "SageMaker.CreateTrainingJob" or next(refusals, None) is None:
            return None
        return Response(b'{"__type": "ThrottlingException", "message": "Rate exceeded"}', 400)

    aws.answer(throttle)
    assert jobs.run(job("count"), Silent()).result["answer"] == 42
    assert next(refusals, None) is None and machines.runs[NAME].starts == 1


def test_a_used_up_quota_names_the_way_out(jobs: AwsJobs, aws: Emulator) -> None:
    words = "The account-level service limit 'ml.m5.large for spot training job usage' is 0 Instances"

    def refuse(request: Request) -> Response | None:
        body = json.dumps({"__type": "ResourceLimitExceeded", "message": words}).encode()
        return Response(body, 400) if request.target == "SageMaker.CreateTrainingJob" else None

    aws.answer(refuse)
    with pytest.raises(TargetFailed, match="spot training job usage") as caught:
        jobs.run(job("count"), Silent())
    assert "retailops doctor" in caught.value.fix


def test_credentials_that_expire_meanwhile_leave_the_job_running(
    jobs: AwsJobs, machines: Executor, aws: Emulator
) -> None:
    expired = threading.Event()

    def refuse(request: Request) -> Response | None:
        if expired.is_set() and request.target.startswith("SageMaker.Describe"):
            return Response(b'{"__type": "ExpiredTokenException", "message": "The security token is expired"}', 400)
        return None

    aws.answer(refuse)
    machines.capacity.clear()
    thread, ended = started(jobs, job("count"))
    while NAME not in machines.runs:
        thread.join(0.01)
    expired.set()
    thread.join(30)
    (error,) = ended
    assert isinstance(error, TargetFailed) and "log in" in error.fix
    expired.clear()
    machines.capacity.set()
    assert jobs.run(job("count"), Silent()).result["answer"] == 42
    assert list(machines.runs) == [NAME]


def test_throttled_logs_are_read_at_the_next_look(jobs: AwsJobs, aws: Emulator, watcher: Any, settled: Settled) -> None:
    jobs._session.__dict__["_boto"] = Impatient(jobs._session._boto)
    refusals = iter(range(3))

    def throttle(request: Request) -> Response | None:
        if not request.target.endswith(".GetLogEvents") or next(refusals, None) is None:
            return None
        return Response(b'{"__type": "ThrottlingException", "message": "Rate exceeded"}', 400)

    aws.answer(throttle)
    jobs.run(job("talk"), watcher)
    assert next(refusals, None) is None


class Impatient:
    """A boto3 session whose clients don't try again by themselves."""

    def __init__(self, boto: Any) -> None:
        self._boto = boto

    def client(self, service: str, config: Any) -> Any:
        from botocore.config import Config as ClientConfig

        once = ClientConfig(retries={"mode": "standard", "max_attempts": 1})
        return self._boto.client(service, config=config.merge(once))


def test_a_spot_machine_that_is_taken_away_is_followed_to_the_end(
    jobs: AwsJobs, machines: Executor, tmp_path: Path, settled: Settled, watcher: Any
) -> None:
    gate, runs = tmp_path / "gate", tmp_path / "runs"
    os.mkfifo(gate)
    ended: list[JobResult] = []
    wanted = Job("train", "k1", {}, {"do": "wait", "gate": str(gate), "runs": str(runs)})
    thread = threading.Thread(target=lambda: ended.append(jobs.run(wanted, watcher)))
    thread.start()
    machines.started(NAME)
    settled(lambda: runs.exists() and runs.read_text() == "run\n")
    machines.interrupt(NAME)
    settled(lambda: runs.read_text() == "run\nrun\n")
    gate.write_text("go")
    thread.join(30)
    assert ended[0].result == {"waited": True}
    assert machines.runs[NAME].starts == 2 and list(machines.runs) == [NAME]
    pids = [what for kind, what in watcher.told if kind == "note" and str(what).startswith("pid ")]
    assert len(set(pids)) == 2, "what both machines said"


def test_a_job_that_was_stopped_says_so_and_starts_anew(jobs: AwsJobs, machines: Executor, aws: Emulator) -> None:
    thread, ended = started(jobs, job("wait"))
    machines.started(NAME)
    aws.client("sagemaker").stop_training_job(TrainingJobName=NAME)
    thread.join(30)
    (error,) = ended
    assert isinstance(error, TargetFailed) and "was stopped" in error.what
    assert not jobs.run(job("count"), Silent()).reused


def test_a_job_that_never_ends_stopping_is_told(jobs: AwsJobs, machines: Executor, aws: Emulator) -> None:
    jobs._patience = Patience(look=0.02, stopping=0.1)
    machines.stuck = True
    thread, ended = started(jobs, job("wait"))
    machines.started(NAME)
    aws.client("sagemaker").stop_training_job(TrainingJobName=NAME)
    thread.join(30)
    (error,) = ended
    assert isinstance(error, TargetFailed) and "has been stopping" in error.what
    assert list(machines.runs) == [NAME]


class Pressing(Silent):
    """Presses Ctrl-C at the job's first word, and `again` when told that the job goes on."""

    def __init__(self, *, again: bool) -> None:
        self._again = again

    def note(self, text: str) -> None:
        if text.startswith("pid ") or (self._again and "goes on" in text):
            signal.raise_signal(signal.SIGINT)


def test_ctrl_c_leaves_the_job_running_and_running_again_follows_it(jobs: AwsJobs, machines: Executor) -> None:
    with pytest.raises(Interrupted, match="goes on on SageMaker") as caught:
        jobs.run(job("wait"), Pressing(again=False))
    assert "follow" in caught.value.fix
    assert machines.runs[NAME].job.training_job_status == "InProgress"


def test_a_second_ctrl_c_stops_the_job(jobs: AwsJobs, machines: Executor, settled: Settled) -> None:
    with pytest.raises(Interrupted, match="told to stop"):
        jobs.run(job("wait"), Pressing(again=True))
    settled(lambda: machines.runs[NAME].job.training_job_status == "Stopped")


def test_without_infrastructure_nothing_is_asked_for(jobs: AwsJobs, aws: Emulator, machines: Executor) -> None:
    aws.client("kms").delete_alias(AliasName="alias/retail-demo-dev-data")
    with pytest.raises(NotReady) as caught:
        jobs.run(job("count"), Silent())
    assert "infra up" in caught.value.fix and not machines.runs


def test_an_input_that_is_gone_from_s3_is_named(jobs: AwsJobs, mirror: Mirror) -> None:
    gone = mirror.folder("gold", "datasets", "nothing")
    with pytest.raises(TargetFailed, match="isn't on S3 any more") as caught:
        jobs.run(Job("train", "k1", {"dataset": gone}, {"do": "count"}), Silent())
    assert "retailops etl" in caught.value.fix


def test_a_machine_that_sagemaker_does_not_know_is_refused(
    machines: Executor, mirror: Mirror, configured: Callable[[str], Config]
) -> None:
    invented = Session(configured("aws: {training: {instance: ml.m9.pocket}}\n"))
    with pytest.raises(ConfigError, match=r"ml\.m9\.pocket"):
        AwsJobs(invented, mirror, TOY, HURRY).run(job("count"), Silent())


def test_the_worker_is_this_python_and_knows_no_credentials(machines: Executor, jobs: AwsJobs) -> None:
    assert jobs.run(job("count"), Silent()).result["answer"] == 42
    command = machines.runs[NAME]._container.command(sys.executable)
    assert command[0] == sys.executable and not [each for each in command if each.startswith("/opt/ml")]
