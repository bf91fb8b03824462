"""Whatever goes wrong, what served before serves on, it is told why, and nothing is left behind."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from moto.sagemaker.models import sagemaker_backends

from emulator import HANG_UP, Emulator, Request, Response
from emulator.planting import PREFIX
from retailops.errors import ConfigError, Interrupted, NotReady, TargetFailed
from retailops.progress import Silent
from retailops.targets.aws.learning_removal import Learning
from retailops.targets.aws.session import Session

pytestmark = pytest.mark.slow  # each trains once for all, and starts servers

QUIET = Silent()
NAME = f"{PREFIX}-api"
CHANGING = ("Add", "Create", "Delete", "Deregister", "Put", "Register", "Update")


@pytest.fixture
def served(place: Any) -> Any:
    """Version 1 is live."""
    place.serving().roll_out(place.registered(1), QUIET)
    return place


def spoiled(bundle: Path, folder: Path) -> Path:
    """The bundle with one byte changed: a server refuses to start on it."""
    copy = folder / "spoiled"
    shutil.copytree(bundle, copy)
    model = copy / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"!")
    return copy


def test_a_server_that_never_gets_ready_is_taken_back_with_its_last_words(served: Any, tmp_path: Path) -> None:
    before = served.standing()
    served.shelf.push(2, spoiled(served.bundles[1], tmp_path))
    with pytest.raises(TargetFailed, match="Version 2 didn't come into service, and the old one serves on") as told:
        served.serving().roll_out(served.model(2), QUIET)
    assert "did not pass the ping health check" in told.value.what
    assert "model.onnx" in told.value.what, "the new server's own words"
    assert "retailops logs" in told.value.fix and told.value.details["cause"] == "not ready"
    assert served.version == 1 and served.standing() == before


def test_a_first_version_that_never_gets_ready_leaves_nothing_that_is_paid_for(place: Any, tmp_path: Path) -> None:
    place.shelf.push(1, spoiled(place.bundles[0], tmp_path))
    with pytest.raises(TargetFailed, match="Version 1 didn't come into service"):
        place.serving().roll_out(place.model(1), QUIET)
    assert not any(place.standing().values())
    assert place.serving().endpoint() is None


def test_an_image_with_another_bundle_is_undone_by_the_golden_rows(served: Any) -> None:
    """It is whole, it starts, it answers: only that it isn't the version that was registered."""
    before = served.standing()
    served.shelf.push(2, served.bundles[2])
    with pytest.raises(TargetFailed, match=r"golden basket .* comes out differently") as told:
        served.serving().roll_out(served.model(2), QUIET)
    assert told.value.what.endswith("Version 1 serves again.") and "image build" in told.value.fix
    assert served.version == 1
    assert served.standing() == before


def test_a_first_version_with_another_bundle_is_gone_again(place: Any) -> None:
    place.shelf.push(1, place.bundles[2])
    with pytest.raises(TargetFailed, match="the endpoint is gone again"):
        place.serving().roll_out(place.model(1), QUIET)
    assert not any(place.standing().values())


def test_a_live_version_that_stops_answering_as_it_should_is_told_and_stays(served: Any) -> None:
    """There is nothing of this command's to undo: which version should serve instead is a person's decision."""
    served.serving().roll_out(served.registered(2), QUIET)

    def wrong(request: Request) -> Response | None:
        return Response(b'{"prediction": "LA"}') if request.path.endswith("/invocations") else None

    served.aws.answer(wrong)
    with pytest.raises(TargetFailed, match="isn't a prediction with its features"):
        served.serving().roll_out(served.registered(2), QUIET)
    served.aws.hooks.remove(wrong)
    assert served.version == 2


def test_an_alarm_while_it_is_watched_brings_the_old_version_back(served: Any) -> None:
    before = served.standing()

    def ring() -> None:
        (new,) = [each for each in served.standing()["configs"] if each not in before["configs"]]
        served.aws.client("cloudwatch").set_alarm_state(
            AlarmName=f"{new}-errors", StateValue="ALARM", StateReason="for a test"
        )

    served.hosting.watching = ring
    with pytest.raises(TargetFailed, match="alarms in ALARM state") as told:
        served.serving().roll_out(served.model(2), QUIET)
    assert told.value.details["cause"] == "alarm" and "monitor.max_error_rate" in told.value.fix
    assert served.version == 1 and served.standing() == before


def test_an_update_that_sagemaker_takes_back_without_a_word_is_no_success(
    served: Any, aws: Emulator, tmp_path: Path
) -> None:
    """It does: the endpoint is in service again, with its old configuration and no reason."""
    endpoint = sagemaker_backends[aws.account][aws.region].endpoints[NAME]

    def silence(request: Request) -> Response | None:
        if endpoint.endpoint_status == "InService":
            endpoint.failure_reason = None
        return None

    aws.answer(silence)
    served.shelf.push(2, spoiled(served.bundles[1], tmp_path))
    with pytest.raises(TargetFailed, match="took the update back and doesn't say why"):
        served.serving().roll_out(served.model(2), QUIET)


def test_an_endpoint_that_failed_once_is_replaced(place: Any, aws: Emulator) -> None:
    """By another command, say: nothing can be done with such a one but deleting it."""
    place.serving().roll_out(place.model(1), QUIET)
    sagemaker_backends[aws.account][aws.region].endpoints[NAME].endpoint_status = "Failed"
    assert place.serving().endpoint().state == "unreachable"
    assert place.serving().roll_out(place.model(2), QUIET).version == place.version == 2


def test_a_quota_is_told_and_nothing_is_left(served: Any) -> None:
    before = served.standing()

    def full(request: Request) -> Response | None:
        words = b"The account-level service limit 'ml.m5.large for endpoint usage' is 1 Instances, with current"
        body = b'{"__type": "ResourceLimitExceeded", "message": "' + words + b' utilization of 1."}'
        return Response(body, 400) if request.target == "SageMaker.UpdateEndpoint" else None

    served.aws.answer(full)
    with pytest.raises(TargetFailed, match="account-level service limit") as told:
        served.serving().roll_out(served.model(2), QUIET)
    assert "retailops doctor" in told.value.fix
    assert served.standing() == before


@pytest.mark.parametrize("image", ["localhost:5000/api", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/api"])
def test_an_image_that_sagemaker_can_t_pull_is_refused_before_anything_is_made(place: Any, image: str) -> None:
    serving = place.serving(deploy=f"kubernetes: {{image: '{image}@sha256:{'0' * 64}'}}")
    with pytest.raises(ConfigError, match="runs an image of ECR in ap-southeast-1"):
        serving.roll_out(place.model(1), QUIET)
    assert not any(place.standing().values())


def test_an_image_that_isn_t_there_is_refused_before_anything_is_made(place: Any, aws: Emulator) -> None:
    image = f"{aws.account}.dkr.ecr.{aws.region}.amazonaws.com/{PREFIX}@sha256:{'0' * 64}"
    with pytest.raises(NotReady, match="isn't in its repository"):
        place.serving(deploy=f"kubernetes: {{image: '{image}'}}").roll_out(place.model(1), QUIET)
    assert not any(place.standing().values())


def test_a_bundle_with_one_byte_changed_isn_t_deployed_at_all(place: Any, tmp_path: Path) -> None:
    model = place.model(1)
    changed = dataclasses.replace(model.run, bundle=spoiled(model.run.bundle, tmp_path))
    with pytest.raises(TargetFailed):
        place.serving().roll_out(dataclasses.replace(model, run=changed), QUIET)
    assert not any(place.standing().values()) and place.shelf.built == []


def test_ctrl_c_lets_go_and_the_same_command_follows(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    place.hosting.capacity.clear()
    looks = 0

    def impatient(seconds: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            raise KeyboardInterrupt

    serving = place.serving()
    with monkeypatch.context() as patched:
        patched.setattr("retailops.targets.aws.endpoint_switch.time.sleep", impatient)
        with pytest.raises(Interrupted, match="SageMaker goes on") as told:
            serving.roll_out(place.model(1), QUIET)
    assert "it follows" in told.value.fix
    place.hosting.capacity.set()
    place.asked.clear()
    assert place.serving().roll_out(place.model(1), QUIET).version == place.version == 1
    assert "CreateEndpoint" not in place.asked


def test_patience_ends_and_what_is_under_way_isn_t_touched(place: Any) -> None:
    place.hosting.capacity.clear()
    serving = place.serving()
    serving._switch._patience = dataclasses.replace(serving._switch._patience, beyond=-1e6)
    with pytest.raises(TargetFailed, match="has been Creating for"):
        serving.roll_out(place.model(1), QUIET)
    standing = place.standing()
    assert standing["endpoints"] and standing["configs"] and standing["models"]
    place.hosting.capacity.set()
    place.hosting.settle()


class Killed(BaseException):
    """The command's process is gone: nothing of it runs on."""


def killing(place: Any, at: int) -> Session:
    """A session whose `at`th changing call is its last act: AWS has done it, and nobody hears. Killed before a call is
    killed after the one before it."""
    session = place.session()
    plain, counted = session.client, count(1)

    def client(service: str, **options: Any) -> Any:
        made = plain(service, **options)
        made.meta.events.register("after-call", strike)
        return made

    def strike(*, model: Any, **rest: Any) -> None:
        if model.name.startswith(CHANGING) and next(counted) == at:
            raise Killed

    session.__dict__["client"] = client
    return session  # type: ignore[no-any-return]


@pytest.mark.parametrize(("story", "calls"), [("first", 8), ("next", 6), ("wrong", 7)])
def test_a_deploy_that_is_killed_at_any_call_is_finished_by_the_next(place: Any, story: str, calls: int) -> None:
    """first: nothing was live. next: version 1 was. wrong: version 2 has to be undone, which is killed too."""

    def begin() -> None:
        Learning(place.account(), look_s=0.01).remove(QUIET)
        if story != "first":
            place.serving().roll_out(place.model(1), QUIET)

    def deploy(session: Session | None = None) -> None:
        model = place.model(1 if story == "first" else 2)
        with pytest.raises(TargetFailed, match="golden basket") if story == "wrong" else nullcontext():
            place.serving(session=session).roll_out(model, QUIET)

    if story == "wrong":
        place.shelf.push(2, place.bundles[2])
    begin()
    deploy()
    wanted = place.standing()
    for at in count(1):
        begin()
        try:
            deploy(killing(place, at))
        except Killed:
            deploy()
        else:
            break
        assert place.standing() == wanted, f"killed at call {at}"
        assert place.version == (2 if story == "next" else 1)
    assert at > calls


def test_a_rollback_that_is_killed_at_any_call_is_finished_by_the_same_command(served: Any) -> None:
    """And not undone by it: the version that was left isn't what served before."""
    first, second = served.model(1), served.registered(2)
    for at in count(1):
        for model in (second, first, second):  # so that nothing is left of the rollback before
            served.serving().roll_out(model, QUIET)
        try:
            served.serving(session=killing(served, at)).roll_back(None, QUIET)
        except Killed:
            back = served.serving().roll_back(None, QUIET)
            assert (back.version, back.returned) == (1, True), f"killed at call {at}"
        else:
            break
        assert served.version == 1
    assert at > 3


def test_a_call_whose_answer_is_lost_isn_t_made_twice(place: Any, aws: Emulator) -> None:
    """The SDK asks again, and is told that it is there already."""
    lost: set[str] = set()
    sagemaker = aws.client("sagemaker")
    calls = {
        "CreateModel": sagemaker.create_model,
        "CreateEndpointConfig": sagemaker.create_endpoint_config,
        "CreateEndpoint": sagemaker.create_endpoint,
    }

    def cut(request: Request) -> Response | None:
        name = request.target.removeprefix("SageMaker.")
        if name not in calls or name in lost:
            return None
        lost.add(name)
        calls[name](**json.loads(request.body))
        return HANG_UP

    aws.answer(cut)
    assert place.serving().roll_out(place.model(1), QUIET).version == 1
    assert lost == set(calls)
    assert len(place.standing()["models"]) == len(place.standing()["configs"]) == 1


@pytest.fixture
def deploying(place: Any) -> Iterator[Future[Any]]:
    """Version 2 on its way, and no machine for it yet; version 1 is live."""
    place.serving().roll_out(place.model(1), QUIET)
    place.hosting.capacity.clear()
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(lambda: place.serving(young=timedelta(hours=1)).roll_out(place.model(2), QUIET))
        while not place.hosting.updates:
            assert not other.done()
            time.sleep(0.01)
        yield other


def test_who_deploys_meanwhile_waits_for_the_other(place: Any, deploying: Future[Any]) -> None:
    class Opening(Silent):
        def stage(self, text: str, total: int | None = None, unit: str = "") -> None:
            if text.startswith("The new version's machines start"):
                place.hosting.capacity.set()

    assert place.serving(young=timedelta(hours=1)).roll_out(place.model(3), Opening()).version == 3
    assert place.version == 3
    problem = deploying.exception(60)
    assert problem is None or "another command" in str(problem), "it was live, if only for a moment"


def test_what_another_command_has_put_in_its_place_is_not_undone(place: Any, watcher: Any) -> None:
    """While version 2 is proved, version 3 takes over: those who prove see answers that aren't version 2's."""
    place.serving().roll_out(place.model(1), QUIET)

    class Overtaking(Silent):
        def stage(self, text: str, total: int | None = None, unit: str = "") -> None:
            if text == "Proving version 2 through the endpoint":
                place.serving(young=timedelta(hours=1)).roll_out(place.model(3), QUIET)

    with pytest.raises(TargetFailed, match="another command has replaced it"):
        place.serving().roll_out(place.model(2), Overtaking())
    assert place.version == 3
